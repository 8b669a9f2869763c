import { readdir, readFile, readlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { attempt, type Attempt } from './attempt.ts';
import type { KubeletFacts } from './judge-kubelet.ts';
import { flagValue, parseKubeletSettings } from './kubelet-settings.ts';

export interface KubeletPlaces {
  /** `/proc`. */
  readonly proc: string;
  /** Tried in order where no kubelet is seen running. */
  readonly configs: readonly string[];
}

/** Where kubeadm, EKS (two generations), AKS and Debian's packages put it. */
export const USUAL_PLACES: KubeletPlaces = {
  proc: '/proc',
  configs: [
    '/var/lib/kubelet/config.yaml',
    '/etc/kubernetes/kubelet/config.json',
    '/etc/kubernetes/kubelet/kubelet-config.json',
    '/etc/default/kubeletconfig.json',
    '/etc/kubernetes/kubelet.yaml',
  ],
};

/** null: there is no kubelet that can be seen. Throws only the reason of the signal. */
export function readKubelet(signal: AbortSignal, places: KubeletPlaces = USUAL_PLACES): Promise<Attempt<KubeletFacts | null>> {
  return attempt(signal, async () => {
    const running = await findKubelet(places.proc);
    if (running !== null) return readRunning(running, places);
    for (const path of places.configs) {
      const text = await readIfThere(path);
      if (text !== null) return { source: path, settings: parseKubeletSettings([text], []) };
    }
    return null;
  });
}

interface KubeletProcess {
  readonly pid: string;
  readonly commandLine: readonly string[];
}

/** Not that of a node in a container, as of kind, which has processes and a disk of its own. Without the right to see whose it is: the first. */
async function findKubelet(proc: string): Promise<KubeletProcess | null> {
  const ownProcesses = await readLinkIfThere(join(proc, 'self/ns/pid'));
  for (const pid of (await readdir(proc)).filter((name) => /^\d+$/.test(name))) {
    const commandLine = ((await readIfThere(join(proc, pid, 'cmdline'))) ?? '').split('\0').filter((word) => word !== '');
    if (basename(commandLine[0] ?? '') !== 'kubelet') continue;
    const processes = await readLinkIfThere(join(proc, pid, 'ns/pid'));
    if (processes === ownProcesses || processes === null) return { pid, commandLine };
  }
  return null;
}

async function readRunning({ pid, commandLine }: KubeletProcess, { proc }: KubeletPlaces): Promise<KubeletFacts> {
  // As the process sees its files, which may not be as they are seen from here.
  const path = (file: string): string => join(proc, pid, file.startsWith('/') ? 'root' : 'cwd', file);
  const config = flagValue(commandLine, 'config');
  const dropIns = flagValue(commandLine, 'config-dir');
  const texts: string[] = [];
  if (config !== null) texts.push(await readFile(path(config), 'utf8'));
  if (dropIns !== null) {
    const names = (await readdir(path(dropIns))).filter((name) => name.endsWith('.conf')).sort();
    for (const name of names) texts.push(await readFile(path(join(dropIns, name)), 'utf8'));
  }
  const named = [`kubelet (process ${pid})`, config, dropIns].filter((part) => part !== null);
  return { source: named.join(', '), settings: parseKubeletSettings(texts, commandLine) };
}

async function readLinkIfThere(path: string): Promise<string | null> {
  try {
    return await readlink(path);
  } catch {
    return null;
  }
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return null;
  }
}
