import type { DatabaseSync } from 'node:sqlite';
import { historyError } from './history-error.ts';
import { isToBeClaimed, type HistoryOwner } from './history-owner.ts';

/** `ICLH` in a file's header: a history of Image Cleaner, and no other program's file. */
const APPLICATION_ID = 0x49434c48;

/**
 * Which migrations the file has had; 0: it is new. Changes nothing.
 * @throws HistoryError `newer` or `foreign`
 */
export function checkVersion(database: DatabaseSync, path: string, latest: number): number {
  // Of one moment: a first run may be making the file.
  const [version, application, isEmpty] = inOneTransaction(database, 'DEFERRED', () => [
    readPragma(database, 'user_version'),
    readPragma(database, 'application_id'),
    database.prepare('SELECT name FROM sqlite_schema LIMIT 1').get() === undefined,
  ]);
  if (application !== APPLICATION_ID && !(isEmpty && application === 0 && version === 0)) {
    throw historyError('foreign', `the history ${path} is a file of another program`);
  }
  if (version > latest) {
    throw historyError(
      'newer',
      `the history ${path} was made by a newer image-cleaner (version ${version} of the file, ${latest} is known here)`,
    );
  }
  return version;
}

export interface Migrating {
  readonly migrations: readonly string[];
  /** null: it is not asked whose it is, and not told. */
  readonly owner: HistoryOwner | null;
}

/**
 * Brings the file up to date, by all of its migrations or by none, and to its owner. Two processes may do so at once: the second finds nothing left to do.
 * @throws HistoryError `other-cluster`, too
 */
export function migrate(database: DatabaseSync, path: string, { migrations, owner }: Migrating): void {
  // Both take effect only before the first table; the second process finds them done.
  database.exec('PRAGMA auto_vacuum = incremental');
  switchToWal(database);
  inOneTransaction(database, 'IMMEDIATE', () => {
    const isNew = owner !== null && isToBeClaimed(readCluster(database), owner, path);
    for (const migration of migrations.slice(checkVersion(database, path, migrations.length))) database.exec(migration);
    database.exec(`PRAGMA user_version = ${migrations.length}; PRAGMA application_id = ${APPLICATION_ID}`);
    if (isNew) database.prepare('INSERT OR REPLACE INTO owner VALUES (1, ?)').run(owner.cluster);
  });
}

/** The cluster that the file is of; null: nobody has said, as in files of before version 8. */
export function readCluster(database: DatabaseSync): string | null {
  if (database.prepare("SELECT name FROM sqlite_schema WHERE name = 'owner'").get() === undefined) return null;
  const cluster = database.prepare('SELECT cluster FROM owner').get()?.['cluster'];
  return typeof cluster === 'string' ? cluster : null;
}

/** Or as a part of the one that is under way. */
function inOneTransaction<Result>(database: DatabaseSync, kind: 'DEFERRED' | 'IMMEDIATE', act: () => Result): Result {
  if (isUnderWay(database)) return act();
  database.exec(`BEGIN ${kind}`);
  try {
    const result = act();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    // What failed may have ended it.
    if (isUnderWay(database)) database.exec('ROLLBACK');
    throw error;
  }
}

function isUnderWay({ isTransaction }: DatabaseSync): boolean {
  return isTransaction;
}

/** With a write-ahead log readers go on beside a writer, and a commit is one write to the end of a file. In memory there is none. */
function switchToWal(database: DatabaseSync): void {
  if (database.prepare('PRAGMA journal_mode').get()?.['journal_mode'] === 'wal') return;
  try {
    database.exec('PRAGMA journal_mode = wal');
  } catch (error) {
    // Two processes that switch at once do not wait for each other: the first has done it.
    if (database.prepare('PRAGMA journal_mode').get()?.['journal_mode'] !== 'wal') throw error;
  }
}

function readPragma(database: DatabaseSync, name: 'user_version' | 'application_id'): number {
  return Number(database.prepare(`PRAGMA ${name}`).get()?.[name]);
}
