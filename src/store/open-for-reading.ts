import { constants, copyFileSync, mkdtempSync, rmSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { historyError, type HistoryError } from './history-error.ts';
import { checkVersion, migrate } from './migrate.ts';
import { MIGRATIONS } from './migrations.ts';
import { BUSY_TIMEOUT_MS, checkAccess, openAs, using } from './open-sqlite-file.ts';
import { regularFileSize } from './own-file.ts';
import { asHistoryError } from './sqlite-error.ts';

/** A history that is only read. */
export interface ReadableFile {
  readonly database: DatabaseSync;
  /** After each answer: why it cannot be relied on; null: it can. */
  readonly disturbance: () => HistoryError | null;
}

/**
 * Opens the file for reading. Changes nothing in it; a missing file is an empty history. `copyPlaces`: folders that may take a copy of it for as
 * long as it is read, in their order; needed where the folder of the history takes no file, and a run that was killed left its last entries in
 * the log beside the file.
 * @throws HistoryError
 */
export function openForReading(path: string, copyPlaces: readonly string[]): ReadableFile {
  const size = regularFileSize(path);
  if (size === null || size === 0) return { database: emptyHistory(path), disturbance: undisturbed };
  checkAccess(path, constants.R_OK, 'unreadable');
  return openAs(path, () => {
    try {
      return { database: open(path, path), disturbance: undisturbed };
    } catch (error) {
      // Readers share an index in a file beside, which cannot be made here: for want of a right, or of space.
      if (!['unreadable', 'read-only', 'full'].includes(asHistoryError(error, path).code)) throw error;
      if (logSize(path) === 0) return openUnshared(path);
      const copy = openCopy(path, copyPlaces);
      if (copy === null) throw error;
      return { database: copy, disturbance: undisturbed };
    }
  });
}

function emptyHistory(path: string): DatabaseSync {
  const database = new DatabaseSync(':memory:');
  migrate(database, path, { migrations: MIGRATIONS, owner: null });
  return database;
}

function undisturbed(): null {
  return null;
}

function open(path: string, location: string | URL): DatabaseSync {
  return ofThisVersion(new DatabaseSync(location, { readOnly: true, timeout: BUSY_TIMEOUT_MS }), path);
}

function ofThisVersion(database: DatabaseSync, path: string): DatabaseSync {
  let version = 0;
  using(database, () => (version = checkVersion(database, path, MIGRATIONS.length)));
  if (version === MIGRATIONS.length) return database;
  database.close();
  // The very first run is about to make it.
  if (version === 0) return emptyHistory(path);
  throw historyError('older', `the history ${path} was made by an older image-cleaner`);
}

/** All of it is in the file itself, which is read without any lock: whoever writes to it meanwhile spoils the answers. */
function openUnshared(path: string): ReadableFile {
  const before = stateOf(path);
  return { database: open(path, unsharedLocation(path)), disturbance: () => (stateOf(path) === before ? null : writtenMeanwhile(path)) };
}

/** Of a file that nobody writes to. */
export function unsharedLocation(path: string): URL {
  const location = pathToFileURL(path);
  location.searchParams.set('immutable', '1');
  return location;
}

/** Bytes of what is not yet written back into the file. */
export function logSize(path: string): number {
  return regularFileSize(`${path}-wal`) ?? 0;
}

function writtenMeanwhile(path: string): HistoryError {
  return historyError('busy', `the history ${path} was written to while it was read`);
}

/** Another one after each write. An empty log says no more than none. */
function stateOf(path: string): string {
  const files = logSize(path) === 0 ? [path] : [path, `${path}-wal`];
  return files
    .map((file) => statSync(file, { bigint: true }))
    .map(({ ino, size, mtimeNs }) => [ino, size, mtimeNs].join(':'))
    .join(' ');
}

/** What a database takes beside its content. */
const SPARE_BYTES = 1024 * 1024;
const MOST_ATTEMPTS = 3;

/** null: no place has room for it. */
function openCopy(path: string, places: readonly string[]): DatabaseSync | null {
  const bytes = (regularFileSize(path) ?? 0) + logSize(path) + SPARE_BYTES;
  for (const place of places.filter((folder) => hasRoom(folder, bytes))) {
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt += 1) {
      const before = stateOf(path);
      const folder = mkdtempSync(join(place, 'image-cleaner-history-'));
      try {
        for (const suffix of ['', '-wal']) copyFileSync(`${path}${suffix}`, join(folder, `history.db${suffix}`));
        if (stateOf(path) === before) return openAlone(path, join(folder, 'history.db'));
      } finally {
        // What is open stays until it is closed.
        rmSync(folder, { recursive: true, force: true });
      }
    }
    throw writtenMeanwhile(path);
  }
  return null;
}

/** With the index in memory: nobody else has this file. */
function openAlone(path: string, copy: string): DatabaseSync {
  const database = using(new DatabaseSync(copy), (opened) => {
    opened.exec('PRAGMA locking_mode = exclusive; PRAGMA query_only = on');
  });
  return ofThisVersion(database, path);
}

function hasRoom(folder: string, bytes: number): boolean {
  try {
    checkAccess(folder, constants.W_OK, 'unreadable');
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize >= bytes;
  } catch {
    return false;
  }
}
