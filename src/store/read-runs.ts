import type { SelectQueryBuilder } from 'kysely';
import type { DecisionRecord, RunRecord } from '../api/run-record.ts';
import type { ImageQuery, RunQuery, UnauditedRun } from './history.ts';
import type { HistoryDatabase, Queries } from './history-database.ts';
import { idKey } from './id-key.ts';
import { inBatches } from './in-batches.ts';
import { RowReader, type DecisionRow } from './run-rows.ts';
import type { Tables } from './tables.ts';

export async function listRuns({ queries, name }: HistoryDatabase, { since, until, node, job, limit }: RunQuery): Promise<RunRecord[]> {
  const rows = await selectRuns(queries)
    // A node's clock may be wrong by years: its run counts as of when it was recorded.
    .$if(since !== undefined, (query) => query.where(({ fn }) => fn.coalesce('node_run.recorded_at', 'run.started_at'), '>=', since ?? 0))
    .$if(until !== undefined, (query) => query.where(({ fn }) => fn.coalesce('node_run.recorded_at', 'run.started_at'), '<=', until ?? 0))
    .$if(node !== undefined, (query) => query.where('node_run.node', '=', node ?? ''))
    .$if(job !== undefined, (query) => query.where('job.uid', '=', job ?? ''))
    .orderBy('run.id', 'desc')
    .limit(limit)
    .execute();
  const reader = new RowReader(name);
  return rows.map((row) => reader.run(row));
}

export async function readRun({ queries, name }: HistoryDatabase, runId: number): Promise<RunRecord | null> {
  const row = await selectRuns(queries).where('run.id', '=', runId).executeTakeFirst();
  return row === undefined ? null : new RowReader(name).run(row);
}

export function selectRuns(queries: Queries) {
  return queries
    .selectFrom('run')
    .leftJoin('node_run', 'node_run.run_id', 'run.id')
    .leftJoin('job', 'job.key', 'node_run.job_key')
    .selectAll('run')
    .select(['node_run.node', 'node_run.recorded_at', 'node_run.omitted_findings', 'job.uid as job_uid', 'job.name as job_name']);
}

export async function readDecisions({ queries, name }: HistoryDatabase, runId: number): Promise<DecisionRecord[]> {
  const reader = new RowReader(name);
  const rows = await selectDecisions(queries).where('run_id', '=', runId).orderBy('position').execute();
  return rows.map((row) => reader.decision(row));
}

/** The removals of killed runs that no audit log has yet, in the order of runs and plans. */
export async function readUnaudited(database: HistoryDatabase): Promise<UnauditedRun[]> {
  const reader = new RowReader(database.name);
  const rows = await selectDecisions(database.queries).where('audit_due', '=', 1).orderBy('run_id').orderBy('position').execute();
  const unaudited: UnauditedRun[] = [];
  for (const [runId, owed] of Map.groupBy(rows, ({ run_id }) => run_id)) {
    const run = await readRun(database, runId);
    if (run !== null) unaudited.push({ run, removals: owed.map((row) => reader.decision(row)) });
  }
  return unaudited;
}

export async function readImageDecisions({ queries, name }: HistoryDatabase, query: ImageQuery): Promise<DecisionRecord[]> {
  const keys = await findImages(queries, query);
  const rows: DecisionRow[] = [];
  for (const batch of inBatches(keys)) {
    const ofImages = selectDecisions(queries).where('image_key', 'in', batch);
    const wanted =
      query.node === undefined
        ? ofImages
        : ofImages.where('run_id', 'in', queries.selectFrom('node_run').select('run_id').where('node', '=', query.node));
    rows.push(...(await wanted.orderBy('run_id', 'desc').limit(query.limit).execute()));
  }
  rows.sort((one, other) => other.run_id - one.run_id);
  const reader = new RowReader(name);
  return rows.slice(0, query.limit).map((row) => reader.decision(row));
}

/** Every image that has, or once had, one of the ids or names. */
async function findImages(queries: Queries, { imageIds = [], names = [], idPrefix }: ImageQuery): Promise<number[]> {
  const keys = new Set<number>();
  for (const batch of inBatches(imageIds)) {
    for (const { key } of await queries.selectFrom('image').select('key').where('id_key', 'in', batch.map(idKey)).execute()) keys.add(key);
  }
  for (const batch of inBatches(names)) {
    for (const { image_key } of await queries.selectFrom('image_name').select('image_key').where('name', 'in', batch).execute())
      keys.add(image_key);
  }
  const prefix = idPrefix === undefined ? '' : idKey(idPrefix);
  if (/^[0-9a-f]+$/.test(prefix)) {
    // `g` follows the last hexadecimal digit.
    const rows = await queries.selectFrom('image').select('key').where('id_key', '>=', prefix).where('id_key', '<', `${prefix}g`).execute();
    for (const { key } of rows) keys.add(key);
  }
  return [...keys];
}

function selectDecisions(queries: Queries): SelectQueryBuilder<Tables, 'decision' | 'image' | 'naming' | 'reason', DecisionRow> {
  return queries
    .selectFrom('decision')
    .innerJoin('image', 'image.key', 'decision.image_key')
    .innerJoin('naming', 'naming.key', 'decision.naming_key')
    .innerJoin('reason', 'reason.key', 'decision.reason_key')
    .select([
      'run_id',
      'image.id as image_id',
      'repo_tags',
      'repo_digests',
      'size_bytes',
      'outcome',
      'reason.code as reason_code',
      'reason.json as reason_json',
      'reason.packed as reason_packed',
      'estimated_bytes',
      'removal_state',
      'removal_at',
      'removal_message',
      'kept_by',
      'reclaimed_bytes',
    ]);
}
