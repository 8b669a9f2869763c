import { accessSync, constants, existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { historyError, type HistoryErrorCode } from './history-error.ts';
import { isToBeClaimed, type HistoryOwner } from './history-owner.ts';
import { checkVersion, migrate, readCluster, type Migrating } from './migrate.ts';
import { MIGRATIONS } from './migrations.ts';
import { keepFromOthers, makeFileIfMissing, regularFileSize, requireOwnFile } from './own-file.ts';
import { asHistoryError } from './sqlite-error.ts';

/** How long a writer waits for another. Writes are short: what takes longer, such as pruning, is done in small pieces. */
export const BUSY_TIMEOUT_MS = 5_000;

/**
 * Opens the file for reading and writing, makes it where there is none, and migrates it.
 * @throws HistoryError
 */
export function openSqliteFile(path: string, migrations = MIGRATIONS): DatabaseSync {
  makeFile(path);
  return openAs(path, () => {
    try {
      return openForWriting(path, { migrations, owner: null, timeoutMs: BUSY_TIMEOUT_MS });
    } catch (error) {
      if (asHistoryError(error, path).code !== 'full') throw error;
      // Without space even reading fails, since readers share an index in a file beside; whoever has the history to himself keeps it in memory.
      return openForWriting(path, { migrations, owner: null, timeoutMs: BUSY_TIMEOUT_MS, alone: true });
    }
  });
}

/**
 * The same for a process that stays and can try again, and never has the file to itself; in a volume of its own. A call of SQLite waits no longer than
 * `timeoutMs` for another writer, since nothing else of the process goes on meanwhile.
 * @throws HistoryError
 */
export function openSharedFile(path: string, timeoutMs: number, owner: HistoryOwner | null): DatabaseSync {
  openAs(path, () => {
    for (const suffix of ['', '-wal', '-shm']) keepFromOthers(`${path}${suffix}`);
  });
  makeFile(path);
  return openAs(path, () => openForWriting(path, { migrations: MIGRATIONS, owner, timeoutMs }));
}

interface Opening extends Migrating {
  readonly timeoutMs: number;
  readonly alone?: boolean;
}

function openForWriting(path: string, { migrations, owner, timeoutMs, alone = false }: Opening): DatabaseSync {
  return using(new DatabaseSync(path, { timeout: timeoutMs }), (database) => {
    if (alone) database.exec('PRAGMA locking_mode = exclusive');
    const version = checkVersion(database, path, migrations.length);
    const isNew = owner !== null && isToBeClaimed(readCluster(database), owner, path);
    database.exec(
      'PRAGMA synchronous = normal; PRAGMA temp_store = memory; PRAGMA journal_size_limit = 4194304; PRAGMA cell_size_check = on',
    );
    if (version < migrations.length || isNew) migrate(database, path, { migrations, owner });
  });
}

/** What `open` throws, as a `HistoryError`. */
export function openAs<T>(path: string, open: () => T): T {
  try {
    return open();
  } catch (error) {
    throw asHistoryError(error, path);
  }
}

/** Closes what was opened when the work on it fails. */
export function using(database: DatabaseSync, work: (database: DatabaseSync) => void): DatabaseSync {
  try {
    work(database);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function makeFile(path: string): void {
  try {
    makeFileIfMissing(path);
  } catch (error) {
    // A folder that cannot be made on a filesystem mounted for reading is told as a missing one.
    if (isErrno(error) && error.code === 'ENOENT') checkAccess(nearestFolder(path), constants.W_OK, 'read-only', path);
    throw asHistoryError(error, path);
  }
  regularFileSize(path);
  checkAccess(path, constants.R_OK, 'unreadable');
  checkAccess(path, constants.W_OK, 'read-only');
  checkAccess(dirname(path), constants.W_OK, 'read-only', path);
  requireOwnFile(path);
}

function nearestFolder(path: string): string {
  const folder = dirname(path);
  return folder === path || existsSync(folder) ? folder : nearestFolder(folder);
}

/** @throws HistoryError */
export function checkAccess(path: string, mode: number, code: HistoryErrorCode, history = path): void {
  try {
    accessSync(path, mode);
  } catch (error) {
    const what = mode === constants.W_OK ? 'cannot be written to' : 'cannot be read';
    throw historyError(code, `the history ${history} ${what} (${error instanceof Error ? error.message : String(error)})`, error);
  }
}

function isErrno(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}
