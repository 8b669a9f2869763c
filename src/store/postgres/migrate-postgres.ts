import { sql } from 'kysely';
import type { Changes, Queries } from '../history-database.ts';
import { historyError } from '../history-error.ts';
import { isToBeClaimed, ofAnotherCluster, type HistoryOwner } from '../history-owner.ts';
import { POSTGRES_MIGRATIONS } from './schema.ts';

const APPLICATION = 'image-cleaner';
/** `ICLH`, as in the header of a file: whoever makes or migrates the tables of one database has this lock. */
const MIGRATION_LOCK = 0x49434c48;

export interface Migrating {
  readonly queries: Queries;
  /** Of the history, for messages. */
  readonly name: string;
  readonly migrations?: readonly string[];
}

export interface MigratingForOwner extends Migrating {
  /** null: it is not asked whose it is, and not told. */
  readonly owner: HistoryOwner | null;
}

/**
 * Brings the database up to date, by all of its migrations or by none, and to its owner. Several processes may do so at once: all but the first find nothing left to do.
 * @throws HistoryError
 */
export async function migratePostgres({ queries, name, migrations = POSTGRES_MIGRATIONS, owner }: MigratingForOwner): Promise<void> {
  await queries
    .transaction()
    .setIsolationLevel('read committed')
    .execute(async (changes) => {
      // Also for a look: in the midst of another's work there is no telling whose tables they are. Given back with the end of the transaction.
      await sql`SELECT pg_advisory_xact_lock(${sql.lit(MIGRATION_LOCK)})`.execute(changes);
      const version = await readVersion(changes, name, migrations);
      const isNew = owner !== null && isToBeClaimed(version === 0 ? null : await readCluster(changes), owner, name);
      if (version === migrations.length && !isNew) return;
      if (version === 0) await makeSchemaTable(changes, name);
      for (const migration of migrations.slice(version)) await sql.raw(migration).execute(changes);
      await sql`UPDATE history_schema SET version = ${sql.lit(migrations.length)}`.execute(changes);
      if (isNew) await sql`UPDATE history_schema SET cluster = ${owner.cluster}`.execute(changes);
    });
}

/** For what only reads. @throws HistoryError `older`, too */
export async function requireLatest({ queries, name, migrations = POSTGRES_MIGRATIONS }: Migrating): Promise<void> {
  const version = await readVersion(queries, name, migrations);
  if (version === migrations.length) return;
  const hint = 'A manager of this version brings it up to date when it starts.';
  throw historyError(
    'older',
    version === 0 ? `the history ${name} is empty` : `the history ${name} was made by an older image-cleaner`,
    undefined,
    hint,
  );
}

/**
 * Waits until no other process writes to the history, and keeps others from it until the end of the transaction. What is read after this, nobody changes.
 * @throws HistoryError `newer` when another process has migrated it meanwhile, `other-cluster` when another cluster has taken it over
 */
export async function takeTurnToWrite(changes: Changes, { name, cluster }: Turn): Promise<void> {
  const { rows } = await sql<SchemaRow>`SELECT * FROM history_schema FOR UPDATE`.execute(changes);
  requireKnown(rows[0]?.version ?? 0, name, POSTGRES_MIGRATIONS);
  const stored = rows[0]?.cluster ?? null;
  if (cluster !== null && stored !== null && stored !== cluster) throw ofAnotherCluster({ name, stored, cluster });
}

export interface Turn {
  readonly name: string;
  /** Who wants to write; null: whoever may. */
  readonly cluster: string | null;
}

interface SchemaRow {
  readonly version: number;
  /** Not there before version 2. */
  readonly cluster?: string | null;
}

/** Whose it is; null: nobody has said. */
async function readCluster(queries: Queries): Promise<string | null> {
  const { rows } = await sql<SchemaRow>`SELECT * FROM history_schema`.execute(queries);
  return rows[0]?.cluster ?? null;
}

/** Which migrations it has had; 0: there is nothing of a history. Changes nothing. */
async function readVersion(queries: Queries, name: string, migrations: readonly string[]): Promise<number> {
  const { rows: present } = await sql<{ table: string }>`
    SELECT name AS table FROM unnest(${[...TABLES, 'history_schema']}::text[]) AS name WHERE to_regclass(name) IS NOT NULL
  `.execute(queries);
  if (present.length === 0) return 0;
  if (!present.some(({ table }) => table === 'history_schema') || !(await isOurs(queries))) {
    const hint = 'Give the history a database of its own.';
    throw historyError('foreign', `the history ${name} is a database in which another program has tables`, undefined, hint);
  }
  const { rows } = await sql<{ version: number }>`SELECT version FROM history_schema`.execute(queries);
  return requireKnown(rows[0]?.version ?? 0, name, migrations);
}

/** Another program may have a table of that name, too. */
async function isOurs(queries: Queries): Promise<boolean> {
  const { rows: columns } = await sql<{ column: string }>`
    SELECT attname AS column FROM pg_attribute WHERE attrelid = to_regclass('history_schema') AND attnum > 0 AND NOT attisdropped
  `.execute(queries);
  const names = columns.map(({ column }) => column);
  if (!['id', 'application', 'version'].every((column) => names.includes(column))) return false;
  const { rows } = await sql<{ application: unknown }>`SELECT application FROM history_schema`.execute(queries);
  return rows.length === 1 && rows[0]?.application === APPLICATION;
}

function requireKnown(version: number, name: string, migrations: readonly string[]): number {
  if (version <= migrations.length) return version;
  const known = `version ${version} of the tables, ${migrations.length} is known here`;
  throw historyError('newer', `the history ${name} was made by a newer image-cleaner (${known})`);
}

async function makeSchemaTable(changes: Changes, name: string): Promise<void> {
  const { rows } = await sql<{ server_encoding: string }>`SHOW server_encoding`.execute(changes);
  if (rows[0]?.server_encoding !== 'UTF8') {
    const hint = "Make the database with ENCODING 'UTF8'.";
    throw historyError(
      'unreadable',
      `the history ${name} is a database that cannot hold all texts (${String(rows[0]?.server_encoding)})`,
      undefined,
      hint,
    );
  }
  await sql`CREATE TABLE history_schema (id bigint PRIMARY KEY CHECK (id = 1), application text NOT NULL, version bigint NOT NULL)`.execute(
    changes,
  );
  await sql`INSERT INTO history_schema VALUES (1, ${APPLICATION}, 0)`.execute(changes);
}

/** Those that the first migration makes. */
const TABLES: readonly string[] = [...(POSTGRES_MIGRATIONS[0] ?? '').matchAll(/CREATE TABLE (\w+)/g)].map(([, table]) => table ?? '');
