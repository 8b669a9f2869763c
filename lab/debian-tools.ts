import { existsSync } from 'node:fs';
import { readFile, readdir, rm } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { cachedDirectory } from './cache-directory.ts';
import { LabError } from './lab-error.ts';
import { runCommand } from './run-command.ts';

/** The distribution's container runtime, as paths of binaries. */
export interface DistributionTools {
  readonly containerd: string;
  readonly ctr: string;
  readonly runc: string;
  /** Statically linked: the whole content of the images that run. */
  readonly busybox: string;
}

export type OnProgress = (line: string) => void;

const PACKAGES = ['containerd', 'runc', 'busybox-static'];
const FOLDERS = ['usr/bin', 'usr/sbin', 'bin', 'sbin'];

/**
 * Debian's (or Ubuntu's) containerd, runc and static busybox, unpacked into the cache: installing them would start a service and touch
 * the machine's own runtime. Without apt, those on PATH.
 */
export async function ensureDistributionTools(onProgress: OnProgress): Promise<DistributionTools> {
  if (onPath('apt-get') === null || onPath('dpkg-deb') === null) return toolsOnPath();
  const release = await debianRelease();
  const directory = await cachedDirectory(release, async (making) => {
    onProgress(`Fetching ${PACKAGES.join(', ')} from ${release}'s packages (about 30 MB, not installed) ...`);
    await downloadPackages(making);
    const archives = (await readdir(making)).filter((name) => name.endsWith('.deb'));
    for (const archive of archives) await runCommand('dpkg-deb', ['-x', join(making, archive), making]);
    for (const archive of archives) await rm(join(making, archive));
  });
  const binary = (name: string): string => {
    const found = FOLDERS.map((folder) => join(directory, folder, name)).find((path) => existsSync(path));
    if (found !== undefined) return found;
    throw new LabError({ code: 'tool-missing', message: `${name} is not among what ${PACKAGES.join(', ')} contain (${directory}).` });
  };
  return { containerd: binary('containerd'), ctr: binary('ctr'), runc: binary('runc'), busybox: binary('busybox') };
}

/** The first executable of that name on PATH; null when there is none. */
export function onPath(name: string, path: string = process.env['PATH'] ?? ''): string | null {
  // sbin: runc lives there, and a plain user's PATH, kept by sudo, may lack it.
  const folders = [...path.split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'];
  return folders.map((folder) => join(folder, name)).find((file) => existsSync(file)) ?? null;
}

async function downloadPackages(directory: string): Promise<void> {
  const download = ['download', '--quiet', ...PACKAGES];
  try {
    await runCommand('apt-get', download, { cwd: directory });
  } catch {
    // The package lists may be missing (as in a fresh container) or name versions that are gone.
    try {
      await runCommand('apt-get', ['update', '--quiet']);
      await runCommand('apt-get', download, { cwd: directory });
    } catch (cause) {
      const message = `The packages ${PACKAGES.join(', ')} can't be downloaded.`;
      throw new LabError({ code: 'tool-missing', message, hint: 'Is the machine online, and apt set up?', cause });
    }
  }
}

/** `debian-12`: a machine that is upgraded gets the new release's packages. */
async function debianRelease(): Promise<string> {
  const osRelease = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const value = (key: string): string => new RegExp(`^${key}="?([A-Za-z0-9._-]+)"?$`, 'm').exec(osRelease)?.[1] ?? 'unknown';
  return `${value('ID')}-${value('VERSION_ID')}`;
}

function toolsOnPath(): DistributionTools {
  const binary = (names: readonly string[]): string => {
    const found = names.map((name) => onPath(name)).find((path) => path !== null);
    if (found !== undefined) return found;
    throw new LabError({
      code: 'tool-missing',
      message: `${names[0] ?? ''} is neither on PATH nor to be had from apt.`,
      hint: 'Install containerd, runc and a statically linked busybox with your package manager.',
    });
  };
  return {
    containerd: binary(['containerd']),
    ctr: binary(['ctr']),
    runc: binary(['runc']),
    busybox: binary(['busybox.static', 'busybox-static', 'busybox']),
  };
}
