import { lstat, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { signalGroup } from './process-groups.ts';
import { processStart } from './process-start.ts';
import { WORK_DIRECTORY_PREFIX } from './work-directory.ts';

/**
 * Removes the working folders below `tmpDir` whose processes were killed before they could: each may hold a whole image, unpacked. What still
 * works in such a folder, a server above all, has nobody left to answer to and is ended first. Only folders of this user, in which nobody else
 * can put a link in a file's place meanwhile. What cannot be removed stays: that is no reason not to scan. A process that runs in another pid
 * namespace and shares `tmpDir` looks as if it had ended; its scan fails, its image stays.
 */
export async function sweepWorkDirectories(tmpDir: string): Promise<void> {
  // Without /proc no process seems to run.
  if ((await processStart(process.pid)).kind !== 'running') return;
  const abandoned: string[] = [];
  for (const name of await namesIn(tmpDir)) {
    const path = join(tmpDir, name);
    if ((await isAbandoned(name)) && (await isOwnDirectory(path))) abandoned.push(path);
  }
  if (abandoned.length === 0) return;
  await endProcessesIn(new Set(abandoned));
  for (const path of abandoned) await rm(path, { recursive: true, force: true }).catch(() => undefined);
}

async function namesIn(directory: string): Promise<string[]> {
  return await readdir(directory).catch(() => []);
}

async function isAbandoned(name: string): Promise<boolean> {
  if (!name.startsWith(WORK_DIRECTORY_PREFIX)) return false;
  const [, pid, start] = /^(\d+)-(\d+)-[A-Za-z0-9]{6}$/.exec(name.slice(WORK_DIRECTORY_PREFIX.length)) ?? [];
  if (pid === undefined) return false;
  const owner = await processStart(Number(pid));
  return owner.kind === 'ended' || (owner.kind === 'running' && owner.start !== start);
}

/** false for a link to a directory. */
async function isOwnDirectory(path: string): Promise<boolean> {
  const entry = await lstat(path).catch(() => null);
  return entry !== null && entry.isDirectory() && entry.uid === process.geteuid?.();
}

/** Each Trivy works in a folder of its own, which is its TMPDIR too, and leads a process group. */
async function endProcessesIn(directories: ReadonlySet<string>): Promise<void> {
  for (const pid of (await namesIn('/proc')).map(Number).filter((number) => number > 1)) {
    const directory = await readlink(`/proc/${pid}/cwd`).catch(() => '');
    if (!directories.has(directory)) continue;
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
    if (environment.split('\0').includes(`TMPDIR=${directory}`)) signalGroup(pid, 'SIGKILL');
  }
}
