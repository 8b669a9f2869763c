import { readFile } from 'node:fs/promises';
import { errorMessage } from '../../platform/errors.ts';
import type { HistoryDatabase } from '../history-database.ts';
import { historyError } from '../history-error.ts';
import type { HistoryOwner } from '../history-owner.ts';
import { migratePostgres, requireLatest } from './migrate-postgres.ts';
import type { PostgresUrl } from './parse-postgres-url.ts';
import { PostgresDatabase } from './postgres-database.ts';
import { asPostgresError } from './postgres-error.ts';
import { ConnectionPool } from './postgres-pool.ts';

/** A place for a history in a PostgreSQL. */
export interface PostgresPlace {
  readonly url: PostgresUrl;
  /** Where the password is; null: there is none, or the server asks for none. Its file is read for each connection: a Secret may be changed. */
  readonly password: { readonly file: string } | { readonly text: string } | null;
}

export interface OpenPostgresOptions {
  readonly isReadOnly: boolean;
  /** null: whosever it is. */
  readonly owner: HistoryOwner | null;
}

/**
 * Opens the history, and makes its tables where there are none; or `isReadOnly`, and then changes nothing, and wants the tables as this version makes them.
 * @throws HistoryError
 */
export async function openPostgres({ url, password }: PostgresPlace, { isReadOnly, owner }: OpenPostgresOptions): Promise<HistoryDatabase> {
  const caFile = url.tls?.caFile ?? null;
  const ca = caFile === null ? null : await readSecretly(caFile, `the CA of the history ${url.name}`);
  const readPassword = async (): Promise<string | undefined> => {
    if (password === null) return undefined;
    if ('text' in password) return password.text;
    return (await readSecretly(password.file, `the password of the history ${url.name}`)).replace(/\r?\n$/, '');
  };
  const database = new PostgresDatabase(url.name, {
    pool: new ConnectionPool({ url, ca, readPassword, isReadOnly }),
    cluster: owner?.cluster ?? null,
  });
  try {
    await (isReadOnly ? requireLatest(database) : migratePostgres({ queries: database.queries, name: database.name, owner }));
    return database;
  } catch (error) {
    await database.close();
    throw asPostgresError(error, url.name);
  }
}

async function readSecretly(file: string, what: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw historyError(
      'unreadable',
      `${what} cannot be read (${errorMessage(error)})`,
      error,
      'Check the path of the file and its permissions.',
    );
  }
}
