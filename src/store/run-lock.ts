import { realpathSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { LockHolder, RunLock } from './history.ts';
import { historyError } from './history-error.ts';
import type { SqliteDatabase } from './sqlite-database.ts';
import { fileIdentity, makeFileIfMissing, regularFileSize, requireOwnFile } from './own-file.ts';
import { asHistoryError } from './sqlite-error.ts';

/**
 * The lock is an open transaction on an empty file beside the history. The kernel ends it with its process, so no lock outlives a run; a file
 * with a process id in it would.
 */
export async function takeRunLock(database: SqliteDatabase, holder: LockHolder): Promise<HeldRunLock> {
  const path = lockPath(database.path);
  const held = lockFile(path);
  if (held === null) throw await lockedBy(database);
  try {
    await tellHolder(database, holder);
  } catch (error) {
    held.file.close();
    throw error;
  }
  let isReleased = false;
  return {
    requireHeld: () => {
      if (isReleased) throw new Error('the lock of runs is not held');
      if (fileIdentity(path) !== held.identity)
        throw historyError('locked', `${path}, the lock of this run, was removed: another run may be under way with the history`);
    },
    release: () => {
      if (!isReleased) held.file.close();
      isReleased = true;
    },
  };
}

export interface HeldRunLock extends RunLock {
  /** @throws HistoryError `locked` when the file was removed or replaced, so that another process can take a lock of the same name */
  requireHeld(): void;
}

/** Beside the file itself: one history has one lock, by whatever names it is known. */
function lockPath(path: string): string {
  try {
    return `${realpathSync(path)}.lock`;
  } catch (error) {
    throw asHistoryError(error, path);
  }
}

interface LockedFile {
  readonly file: DatabaseSync;
  readonly identity: string;
}

const MOST_ATTEMPTS = 5;

/** null: another has it. */
function lockFile(path: string): LockedFile | null {
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt += 1) {
    try {
      makeFileIfMissing(path);
    } catch (error) {
      throw asHistoryError(error, path);
    }
    regularFileSize(path);
    requireOwnFile(path);
    const identity = fileIdentity(path);
    const file = lockOnce(path);
    if (file === null) return null;
    // A lock on a file that was removed meanwhile keeps nobody out.
    if (identity !== null && fileIdentity(path) === identity) return { file, identity };
    file.close();
  }
  return null;
}

/** null: another has it. */
function lockOnce(path: string): DatabaseSync | null {
  let file: DatabaseSync | null = null;
  try {
    file = new DatabaseSync(path, { timeout: 0 });
    // Without a journal: nothing is ever written, and a full disk can be cleaned.
    file.exec('PRAGMA journal_mode = memory; BEGIN EXCLUSIVE');
    return file;
  } catch (error) {
    file?.close();
    const fault = asHistoryError(error, path);
    if (fault.code === 'busy') return null;
    throw fault;
  }
}

/** For the message of those who come later. Without space for it they are told less. */
async function tellHolder(database: SqliteDatabase, { pid, host, startedAt }: LockHolder): Promise<void> {
  const values = { pid, host, since_at: startedAt };
  try {
    await database.write('process', async (changes) => {
      await changes
        .insertInto('run_holder')
        .values({ id: 1, ...values })
        .onConflict((conflict) => conflict.column('id').doUpdateSet(values))
        .execute();
    });
  } catch (error) {
    const fault = database.translate(error);
    if (fault.code !== 'full') throw fault;
  }
}

async function lockedBy({ path, queries }: SqliteDatabase): Promise<Error> {
  const holder = await queries.selectFrom('run_holder').selectAll().executeTakeFirst();
  const who =
    holder === undefined
      ? 'another process'
      : `process ${holder.pid} on ${holder.host}, which started at ${new Date(holder.since_at).toISOString()}`;
  return historyError('locked', `another run is under way with the history ${path}: ${who}`);
}
