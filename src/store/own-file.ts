import { chmodSync, closeSync, existsSync, mkdirSync, openSync, statSync, type BigIntStats } from 'node:fs';
import { dirname } from 'node:path';
import { historyError } from './history-error.ts';
import { asHistoryError } from './sqlite-error.ts';

/** Makes an empty file for its owner alone, and its folders, where there are none. Throws what the file system says. */
export function makeFileIfMissing(path: string): void {
  makeFolder(dirname(path));
  try {
    // Opened only where it is new: to close a file that SQLite has open in this process would take SQLite's locks away.
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
  }
}

/** One by one: below /proc, where nothing can be made, making all of them at once never comes to an end. */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  const parent = dirname(folder);
  if (parent !== folder) makeFolder(parent);
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
  }
}

/**
 * Bytes; null: there is none.
 * @throws HistoryError `unreadable` for what is no regular file: a device or a pipe keeps nothing
 */
export function regularFileSize(path: string): number | null {
  const stats = statIfThere(path);
  if (stats === null) return null;
  if (!stats.isFile()) throw historyError('unreadable', `the history ${path} is ${stats.isDirectory() ? 'a folder' : 'no regular file'}`);
  return Number(stats.size);
}

/**
 * What is removed, and that it was removed, is decided and told by this file: nobody else may be able to write it.
 * @throws HistoryError `unreadable`
 */
export function requireOwnFile(path: string): void {
  const stats = statIfThere(path);
  if (stats === null) return;
  const user = process.geteuid?.();
  if (user !== undefined && Number(stats.uid) !== user) {
    const owner = `it belongs to the user with the id ${String(stats.uid)}, not to the one who runs image-cleaner (${String(user)})`;
    throw historyError(
      'unreadable',
      `the history ${path} is not trusted: ${owner}`,
      undefined,
      'Run image-cleaner as its owner, make the file your own with chown if you trust its content, or give the history another path.',
    );
  }
  if ((Number(stats.mode) & 0o022) !== 0) {
    const mode = (Number(stats.mode) & 0o777).toString(8);
    throw historyError(
      'unreadable',
      `the history ${path} is not trusted: other users may write to it (its mode is ${mode})`,
      undefined,
      'Take that right away with chmod go-w if you trust its content, or give the history another path.',
    );
  }
}

/**
 * Takes the right to write from all others, where the file is one's own. For a file in a volume that nobody else is given: the kubelet gives all of a
 * volume to a group when a pod of it starts, and the group's right would be taken for somebody else's.
 */
export function keepFromOthers(path: string): void {
  const stats = statIfThere(path);
  if (stats?.isFile() !== true || Number(stats.uid) !== process.geteuid?.() || (Number(stats.mode) & 0o022) === 0) return;
  chmodSync(path, Number(stats.mode) & 0o755);
}

/** Tells one file from another that has its name later; null: there is none. */
export function fileIdentity(path: string): string | null {
  const stats = statIfThere(path);
  return stats === null ? null : `${String(stats.dev)}:${String(stats.ino)}`;
}

// Inodes of some filesystems are too large for a number.
function statIfThere(path: string): BigIntStats | null {
  try {
    return statSync(path, { bigint: true });
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null;
    throw asHistoryError(error, path);
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
