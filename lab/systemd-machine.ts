import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, rmdirSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { waitUntil } from './wait-until.ts';

/** The machine's own; null where it has none. */
export const SYSTEMD_MANAGER = ['/usr/lib/systemd/systemd', '/lib/systemd/systemd'].find((path) => existsSync(path)) ?? null;

/** A text, a copy of a file or a folder with its modes, or a link to a path. */
export type FileContent = string | { readonly copyOf: string } | { readonly linkTo: string };

export interface ServiceRun {
  readonly manager: string;
  /** `image-cleaner.service`. */
  readonly name: string;
  readonly unit: string;
  /** By absolute path: what the machine has beside this one's own files. */
  readonly files: Readonly<Record<string, FileContent>>;
  /** Folders that are this machine's own, such as that of a socket. */
  readonly shared: readonly string[];
}

export interface ServiceEnd {
  /** `success`, `exit-code` … */
  readonly result: string;
  readonly stdout: string;
  readonly stderr: string;
}

const script = fileURLToPath(new URL('systemd-machine.sh', import.meta.url));
const STUBS = ['sysinit.target', 'basic.target', 'network-online.target', 'shutdown.target'];

/** Has a real systemd run a service, in namespaces of its own: this machine's is not asked. Needs root. */
export async function runService({ manager, name, unit, files, shared }: ServiceRun): Promise<ServiceEnd> {
  const folder = await mkdtemp(join(tmpdir(), 'image-cleaner-systemd-'));
  const put = async (path: string, content: FileContent): Promise<void> => {
    const target = join(folder, path);
    await mkdir(dirname(target), { recursive: true });
    if (typeof content === 'string') await writeFile(target, content);
    else if ('linkTo' in content) await symlink(content.linkTo, target);
    else await cp(content.copyOf, target, { recursive: true });
  };
  for (const stub of STUBS) await put(`units/${stub}`, '[Unit]\nDefaultDependencies=no\n');
  const [stdout, stderr, ended] = ['stdout', 'stderr', 'ended'].map((file) => join(folder, file)) as [string, string, string];
  await put(`units/${name}`, unit.replace('[Service]\n', `[Service]\nStandardOutput=append:${stdout}\nStandardError=append:${stderr}\n`));
  const show = `systemctl show ${name} --property=Result --value >${ended}.part; mv ${ended}.part ${ended}`;
  await put(
    'units/ended.service',
    `[Unit]\nDefaultDependencies=no\nAfter=${name}\n[Service]\nType=oneshot\nExecStart=/bin/sh -c '${show}'\n`,
  );
  await put('units/lab.target', `[Unit]\nDefaultDependencies=no\nWants=${name} ended.service\n`);
  for (const [path, content] of Object.entries(files)) await put(join('files', path), content);
  await mkdir(join(folder, 'machine'));
  const namespaces = ['--mount', '--pid', '--ipc', '--uts', '--fork', '--kill-child'];
  const machine = spawn('unshare', [...namespaces, 'bash', script, folder, basename(folder), manager, ...shared], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  for (const stream of [machine.stdout, machine.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (log += text));
  const closed = once(machine, 'close');
  try {
    await waitUntil(`${name} has ended`, () => {
      if (machine.exitCode !== null) throw new Error(`systemd does not run: ${log}`);
      return Promise.resolve(existsSync(ended));
    });
    const read = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '');
    return { result: (await read(ended)).trim(), stdout: await read(stdout), stderr: await read(stderr) };
  } finally {
    machine.kill('SIGKILL');
    await closed;
    await waitUntil('the control groups are empty', () => Promise.resolve(removeControlGroups(basename(folder))));
    await rm(folder, { recursive: true });
  }
}

/** false: a process is still ending. */
function removeControlGroups(name: string): boolean {
  const hierarchies = ['/sys/fs/cgroup', ...readdirSync('/sys/fs/cgroup').map((entry) => join('/sys/fs/cgroup', entry))];
  try {
    for (const hierarchy of hierarchies) removeControlGroup(join(hierarchy, name));
    return true;
  } catch {
    return false;
  }
}

function removeControlGroup(path: string): void {
  if (!existsSync(path)) return;
  for (const entry of readdirSync(path, { withFileTypes: true })) if (entry.isDirectory()) removeControlGroup(join(path, entry.name));
  rmdirSync(path);
}
