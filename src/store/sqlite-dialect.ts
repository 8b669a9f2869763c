import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import {
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
} from 'kysely';

export interface SqliteFaults {
  /** Makes of what the database throws the error that callers know. */
  readonly translate: (error: unknown) => Error;
  /** After each answer: why it cannot be relied on; null: it can. */
  readonly disturbance: () => Error | null;
}

/** Node's own SQLite under kysely. */
export function createSqliteDialect(database: DatabaseSync, faults: SqliteFaults): Dialect {
  return {
    createDriver: () => new SqliteDriver(database, faults),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createAdapter: () => new SqliteAdapter(),
    createIntrospector: (db) => new SqliteIntrospector(db),
  };
}

/** One connection; kysely lets one caller have it at a time (`supportsMultipleConnections` of the adapter). */
class SqliteDriver implements Driver {
  readonly #connection: SqliteConnection;

  constructor(database: DatabaseSync, faults: SqliteFaults) {
    this.#connection = new SqliteConnection(database, faults);
  }

  init(): Promise<void> {
    return Promise.resolve();
  }

  acquireConnection(): Promise<DatabaseConnection> {
    return Promise.resolve(this.#connection);
  }

  /** `immediate`: a transaction that only later turns out to write fails, instead of waiting, when another process writes. */
  async beginTransaction(): Promise<void> {
    return this.#connection.exec('begin immediate');
  }

  async commitTransaction(): Promise<void> {
    return this.#connection.exec('commit');
  }

  async rollbackTransaction(): Promise<void> {
    // A full disk has SQLite roll back by itself.
    if (this.#connection.isInTransaction) return this.#connection.exec('rollback');
  }

  releaseConnection(): Promise<void> {
    return Promise.resolve();
  }

  async destroy(): Promise<void> {
    return this.#connection.close();
  }
}

/** Longer texts are those of inserts of many rows, which hardly ever come again alike. */
const LONGEST_KEPT_STATEMENT = 4_000;

class SqliteConnection implements DatabaseConnection {
  readonly #database: DatabaseSync;
  readonly #faults: SqliteFaults;
  readonly #statements = new Map<string, StatementSync>();

  constructor(database: DatabaseSync, faults: SqliteFaults) {
    this.#database = database;
    this.#faults = faults;
  }

  get isInTransaction(): boolean {
    return this.#database.isTransaction;
  }

  exec(statement: string): Promise<void> {
    return this.#attempt(() => {
      this.#database.exec(statement);
    });
  }

  executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    return this.#attempt(() => {
      const statement = this.#statement(sql);
      const values = parameters.map(inputValue);
      if (statement.columns().length > 0) {
        const rows = statement.all(...values) as R[];
        const disturbance = this.#faults.disturbance();
        if (disturbance !== null) throw disturbance;
        return { rows };
      }
      return { rows: [], numAffectedRows: BigInt(statement.run(...values).changes) };
    });
  }

  streamQuery(): never {
    throw new Error('queries are not streamed: a page of rows is asked for instead');
  }

  close(): Promise<void> {
    this.#statements.clear();
    return this.#attempt(() => {
      this.#database.close();
    });
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#database.prepare(sql);
    if (sql.length <= LONGEST_KEPT_STATEMENT) this.#statements.set(sql, statement);
    return statement;
  }

  #attempt<T>(work: () => T): Promise<T> {
    try {
      return Promise.resolve(work());
    } catch (error) {
      return Promise.reject(this.#faults.translate(error));
    }
  }
}

function inputValue(value: unknown): SQLInputValue {
  if (value === null || typeof value === 'number' || typeof value === 'string' || value instanceof Uint8Array) return value;
  throw new TypeError(`a ${typeof value} is no value of a column here`);
}
