import { Kysely, PostgresDialect, sql } from 'kysely';
import type { Changes, Durability, HistoryDatabase, Queries } from '../history-database.ts';
import type { Tables } from '../tables.ts';
import { takeTurnToWrite } from './migrate-postgres.ts';
import type { ConnectionPool } from './postgres-pool.ts';

interface OpenDatabase {
  readonly pool: ConnectionPool;
  /** Whose history this has to be for each write; null: whosever. */
  readonly cluster: string | null;
}

/** A history in a PostgreSQL. */
export class PostgresDatabase implements HistoryDatabase {
  readonly name: string;
  readonly queries: Queries;
  readonly #pool: ConnectionPool;
  readonly #cluster: string | null;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(name: string, { pool, cluster }: OpenDatabase) {
    this.name = name;
    this.queries = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
    this.#pool = pool;
    this.#cluster = cluster;
  }

  /** How much a commit outlives is the server's own setting (`synchronous_commit`), which nobody who asks for less makes less. */
  async write<T>(_durability: Durability, work: (changes: Changes) => Promise<T>): Promise<T> {
    // One at a time already here: those who wait for their turn hold no connection.
    const written = this.#turn.then(() =>
      this.queries
        .transaction()
        // With any other, what is read after the turn has come would be what was there before it.
        .setIsolationLevel('read committed')
        .execute(async (changes) => {
          await takeTurnToWrite(changes, { name: this.name, cluster: this.#cluster });
          return work(changes);
        }),
    );
    this.#turn = written.catch(() => undefined);
    return written;
  }

  isInPlace(): boolean {
    return true;
  }

  /** A look at every row. */
  async usedBytes(): Promise<number> {
    let bytes = 0;
    for (const [table, { wide, restBytes }] of Object.entries(ROWS)) {
      const columns = wide.map((column) => sql`coalesce(sum(pg_column_size(${sql.ref(column)})), 0)`);
      const size = sql.join([sql`count(*) * ${sql.lit(restBytes)}`, ...columns], sql` + `);
      const { rows } = await sql<{ bytes: number }>`SELECT (${size})::bigint AS bytes FROM ${sql.table(table)}`.execute(this.queries);
      bytes += rows[0]?.bytes ?? 0;
    }
    return bytes;
  }

  /** What is free is the server's. */
  heldBytes(): Promise<number> {
    return this.usedBytes();
  }

  /** What is free in its tables the server uses for what comes next (autovacuum). */
  giveSpaceBack(): Promise<void> {
    return Promise.resolve();
  }

  async close(): Promise<void> {
    await this.queries.destroy();
    await this.#pool.end();
  }
}

/**
 * What rows take: the columns that may be long, as they are stored, and about how many bytes all else of a row is with its entries in indexes. The
 * size of a table on the server's disk says nothing of what was deleted from it.
 */
const ROWS: Readonly<Partial<Record<keyof Tables, { readonly wide: readonly string[]; readonly restBytes: number }>>> = {
  run: { wide: ['message', 'runtime', 'scanner', 'summary', 'filesystem'], restBytes: 250 },
  image: { wide: [], restBytes: 300 },
  image_name: { wide: ['name', 'name'], restBytes: 100 },
  naming: { wide: ['repo_tags', 'repo_digests'], restBytes: 200 },
  reason: { wide: ['json', 'packed'], restBytes: 200 },
  decision: { wide: ['removal_message', 'kept_by'], restBytes: 250 },
  sighting: { wide: [], restBytes: 400 },
  scan_report: { wide: ['json', 'packed'], restBytes: 400 },
  analysis: { wide: ['recipe'], restBytes: 400 },
  analysis_part: { wide: [], restBytes: 300 },
  part: { wide: ['packed'], restBytes: 300 },
  job: { wide: ['totals'], restBytes: 250 },
  log: { wide: [], restBytes: 400 },
  log_piece: { wide: ['packed'], restBytes: 120 },
};
