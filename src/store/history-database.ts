import type { DatabaseSync } from 'node:sqlite';
import { Kysely, type Transaction } from 'kysely';
import { historyError, type HistoryError } from './history-error.ts';
import { fileIdentity } from './own-file.ts';
import { createSqliteDialect } from './sqlite-dialect.ts';
import { asHistoryError } from './sqlite-error.ts';
import type { Tables } from './tables.ts';

export type Queries = Kysely<Tables>;
export type Changes = Transaction<Tables>;

/** What a commit outlives: the end of this `process`, or the loss of `power` (a sync to the disk, some milliseconds). */
export type Durability = 'process' | 'power';

interface OpenFile {
  readonly database: DatabaseSync;
  readonly disturbance?: () => HistoryError | null;
}

/** The history's database. Whatever it throws is a `HistoryError`. */
export class HistoryDatabase {
  readonly path: string;
  readonly queries: Queries;
  readonly #database: DatabaseSync;
  readonly #identity: string | null;
  readonly #disturbance: () => HistoryError | null;

  /** `disturbance`: asked after each query, why its answer cannot be relied on. */
  constructor(path: string, { database, disturbance = () => null }: OpenFile) {
    this.path = path;
    this.#database = database;
    this.#identity = fileIdentity(path);
    this.#disturbance = disturbance;
    const dialect = createSqliteDialect(database, { translate: (error) => this.translate(error), disturbance });
    this.queries = new Kysely<Tables>({ dialect });
  }

  /** All of the work or nothing of it. */
  async write<T>(durability: Durability, work: (changes: Changes) => Promise<T>): Promise<T> {
    return this.queries.connection().execute(async (connection) => {
      this.exec(`PRAGMA synchronous = ${durability === 'power' ? 'full' : 'normal'}`);
      return connection.transaction().execute(work);
    });
  }

  /** A statement of the database's own, outside of any transaction. */
  exec(statement: string): void {
    try {
      this.#database.exec(statement);
    } catch (error) {
      throw this.translate(error);
    }
  }

  readPragma(name: string): number {
    try {
      return Number(Object.values(this.#database.prepare(`PRAGMA ${name}`).get() ?? {})[0]);
    } catch (error) {
      throw this.translate(error);
    }
  }

  /** @throws HistoryError `unreadable` when the file was removed or replaced since it was opened: what was written to it is lost. */
  requireInPlace(): void {
    if (this.isInPlace()) return;
    throw historyError('unreadable', `the history ${this.path} was removed while the run was under way: the run is not on record`);
  }

  /** Whether the file is still the one that was opened. */
  isInPlace(): boolean {
    return fileIdentity(this.path) === this.#identity;
  }

  async close(): Promise<void> {
    await this.queries.destroy();
  }

  translate(error: unknown): HistoryError {
    return this.#disturbance() ?? asHistoryError(error, this.path);
  }
}
