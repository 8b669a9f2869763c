import { lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { processStart } from './process-start.ts';
import { WORK_DIRECTORY_PREFIX } from './work-directory.ts';

/**
 * Removes the working folders below `tmpDir` whose processes were killed before they could: each may hold a whole image, unpacked. Only
 * folders of this user, in which nobody else can put a link in a file's place meanwhile. What cannot be removed stays: that is no reason
 * not to scan. A process that runs in another pid namespace and shares `tmpDir` looks as if it had ended; its scan fails, its image stays.
 */
export async function sweepWorkDirectories(tmpDir: string): Promise<void> {
  // Without /proc no process seems to run.
  if ((await processStart(process.pid)) === null) return;
  for (const name of await namesIn(tmpDir)) {
    const path = join(tmpDir, name);
    if ((await isAbandoned(name)) && (await isOwnDirectory(path))) await rm(path, { recursive: true, force: true }).catch(() => undefined);
  }
}

async function namesIn(directory: string): Promise<string[]> {
  return await readdir(directory).catch(() => []);
}

async function isAbandoned(name: string): Promise<boolean> {
  if (!name.startsWith(WORK_DIRECTORY_PREFIX)) return false;
  const [, pid, start] = /^(\d+)-(\d+)-[A-Za-z0-9]{6}$/.exec(name.slice(WORK_DIRECTORY_PREFIX.length)) ?? [];
  return pid !== undefined && (await processStart(Number(pid))) !== start;
}

/** false for a link to a directory. */
async function isOwnDirectory(path: string): Promise<boolean> {
  const entry = await lstat(path).catch(() => null);
  return entry !== null && entry.isDirectory() && entry.uid === process.geteuid?.();
}
