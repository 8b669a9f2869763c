import type { DatabaseSync } from 'node:sqlite';
import { Kysely } from 'kysely';
import type { Changes, Durability, HistoryDatabase, Queries } from './history-database.ts';
import { historyError, type HistoryError } from './history-error.ts';
import { nextTurn } from './next-turn.ts';
import { fileIdentity } from './own-file.ts';
import { createSqliteDialect } from './sqlite-dialect.ts';
import { asHistoryError } from './sqlite-error.ts';
import type { Tables } from './tables.ts';

interface OpenFile {
  readonly database: DatabaseSync;
  readonly disturbance?: () => HistoryError | null;
}

/** Given back in one step: others who wait to write are let in between. */
const PAGES_AT_ONCE = 2_000;

/** A history in a file. */
export class SqliteDatabase implements HistoryDatabase {
  readonly name: string;
  readonly path: string;
  readonly queries: Queries;
  readonly #database: DatabaseSync;
  readonly #identity: string | null;
  readonly #disturbance: () => HistoryError | null;

  /** `disturbance`: asked after each query, why its answer cannot be relied on. */
  constructor(path: string, { database, disturbance = () => null }: OpenFile) {
    this.name = path;
    this.path = path;
    this.#database = database;
    this.#identity = fileIdentity(path);
    this.#disturbance = disturbance;
    const dialect = createSqliteDialect(database, { translate: (error) => this.translate(error), disturbance });
    this.queries = new Kysely<Tables>({ dialect });
  }

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

  /** @throws HistoryError `unreadable` when the file was removed or replaced since it was opened: what was written to it is lost. */
  requireInPlace(): void {
    if (this.isInPlace()) return;
    throw historyError('unreadable', `the history ${this.path} was removed while the run was under way: the run is not on record`);
  }

  isInPlace(): boolean {
    return fileIdentity(this.path) === this.#identity;
  }

  usedBytes(): Promise<number> {
    return this.#attempt(() => (this.#readPragma('page_count') - this.#readPragma('freelist_count')) * this.#readPragma('page_size'));
  }

  heldBytes(): Promise<number> {
    return this.#attempt(() => this.#readPragma('page_count') * this.#readPragma('page_size'));
  }

  async giveSpaceBack(signal: AbortSignal | undefined): Promise<void> {
    // With the connection to itself: in the midst of another call's transaction none of it would work.
    await this.queries.connection().execute(async () => {
      for (let free = await this.#attempt(() => this.#readPragma('freelist_count')); free > 0;) {
        this.exec(`PRAGMA incremental_vacuum(${PAGES_AT_ONCE})`);
        const left = await this.#attempt(() => this.#readPragma('freelist_count'));
        if (left >= free) break;
        free = left;
        await nextTurn(signal);
      }
      // The file becomes smaller when the log is written back to it; with readers about, later.
      this.exec('PRAGMA wal_checkpoint(truncate)');
    });
  }

  async close(): Promise<void> {
    await this.queries.destroy();
  }

  translate(error: unknown): HistoryError {
    return this.#disturbance() ?? asHistoryError(error, this.path);
  }

  #readPragma(name: string): number {
    return Number(Object.values(this.#database.prepare(`PRAGMA ${name}`).get() ?? {})[0]);
  }

  #attempt<T>(work: () => T): Promise<T> {
    try {
      return Promise.resolve(work());
    } catch (error) {
      return Promise.reject(this.translate(error));
    }
  }
}
