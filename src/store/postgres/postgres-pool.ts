import { Socket } from 'node:net';
import type { PostgresPool, PostgresPoolClient } from 'kysely';
import { Pool, types, type PoolClient } from 'pg';
import { asPostgresError, endsConnection } from './postgres-error.ts';
import type { PostgresUrl } from './parse-postgres-url.ts';

export interface PoolOptions {
  readonly url: PostgresUrl;
  /** PEM; null: what the system trusts. */
  readonly ca: string | null;
  /** Asked for each connection: a password may have become another. undefined: there is none. */
  readonly readPassword: () => Promise<string | undefined>;
  readonly isReadOnly: boolean;
}

/** One writes, at most, and readers go on beside it: two managers together leave a small server most of its connections. */
const MOST_CONNECTIONS = 4;

const CONNECT_TIMEOUT_MS = 5_000;
/** How long a writer waits for another, which in PostgreSQL holds up nothing else. */
const LOCK_TIMEOUT_MS = 5_000;
/** No statement of ours takes a second; those of pruning see whole tables. */
const STATEMENT_TIMEOUT_MS = 15_000;
/** By then a server that lives has ended the statement itself. */
const ANSWER_TIMEOUT_MS = 20_000;
/** A manager that is cut off in the midst of a write holds up the next one for so long. */
const IDLE_WRITE_TIMEOUT_MS = 20_000;
const KEEP_ALIVE_MS = 10_000;

/** Connections as kysely takes them. Whatever they throw is a `HistoryError`; one that had a fault is not used again. */
export class ConnectionPool implements PostgresPool {
  readonly options = {};
  readonly #name: string;
  readonly #pool: Pool;
  readonly #sockets = new Set<Socket>();
  #ended: Promise<void> | null = null;
  #free = MOST_CONNECTIONS;
  readonly #waiting: (() => void)[] = [];

  constructor({ url, ca, readPassword, isReadOnly }: PoolOptions) {
    this.#name = url.name;
    this.#pool = new Pool({
      host: url.host,
      port: url.port,
      user: url.user,
      database: url.database,
      password: readPassword as () => Promise<string>,
      ssl: url.tls === null ? false : { rejectUnauthorized: true, ...(ca === null ? {} : { ca }) },
      application_name: 'image-cleaner',
      ...(isReadOnly ? { options: '-c default_transaction_read_only=on' } : {}),
      max: MOST_CONNECTIONS,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      lock_timeout: LOCK_TIMEOUT_MS,
      statement_timeout: STATEMENT_TIMEOUT_MS,
      query_timeout: ANSWER_TIMEOUT_MS,
      idle_in_transaction_session_timeout: IDLE_WRITE_TIMEOUT_MS,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
      stream: () => this.#openSocket(),
      types: { getTypeParser: parserOf },
    });
    // A connection that ends while nobody uses it is missed by nobody; an unheard error would end the process.
    this.#pool.on('error', () => undefined);
    this.#pool.on('connect', (client) => client.on('error', () => undefined));
  }

  /** @throws HistoryError */
  async connect(): Promise<PostgresPoolClient> {
    await this.#takeSeat();
    try {
      return this.#lend(await this.#pool.connect());
    } catch (error) {
      this.#leaveSeat();
      throw asPostgresError(error, this.#name);
    }
  }

  end(): Promise<void> {
    this.#ended ??= this.#end();
    return this.#ended;
  }

  async #end(): Promise<void> {
    await this.#pool.end();
    // A server that does not answer would not close them, and this process could not end.
    for (const socket of this.#sockets) socket.destroySoon();
  }

  #lend(client: PoolClient): PostgresPoolClient {
    let fault: Error | null = null;
    const query = async (sql: string, parameters: readonly unknown[]): Promise<unknown> => {
      if (fault !== null) throw fault;
      try {
        return await client.query(sql, parameters.map(parameterValue));
      } catch (error) {
        const told = asPostgresError(error, this.#name);
        if (endsConnection(error)) fault = told;
        throw told;
      }
    };
    return {
      query: query as PostgresPoolClient['query'],
      release: (destroy = false) => {
        client.release(destroy || fault !== null);
        this.#leaveSeat();
      },
    };
  }

  /** The pool's own queue would take a wait for its turn for a server that is away. */
  async #takeSeat(): Promise<void> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #leaveSeat(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }

  #openSocket(): Socket {
    const socket = new Socket();
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    return socket;
  }
}

/** As SQLite gives it: a number. None of ours is beyond what a number holds exactly. */
function parserOf(...[oid, format]: Parameters<typeof types.getTypeParser>): unknown {
  return oid === types.builtins.INT8 ? Number : types.getTypeParser(oid, format);
}

/** PostgreSQL has no text with a NUL in it: a message from a node that has one must not be one that can never be written. */
function parameterValue(value: unknown): unknown {
  return typeof value === 'string' ? value.replaceAll('\0', '\uFFFD') : value;
}
