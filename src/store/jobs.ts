import * as z from 'zod';
import { RUN_STATES, type RunEnd, type RunSummary } from '../api/run-record.ts';
import type { JobTotals } from '../api/run-record.ts';
import type { JobFacts } from './cluster-history.ts';
import { historyError } from './history-error.ts';
import type { Changes, HistoryDatabase } from './history-database.ts';
import type { HistoryTime } from './history-time.ts';
import { parseJson } from './pack.ts';
import type { JobTable } from './tables.ts';
import { runModeSchema, summarySchema } from './row-schemas.ts';

export type Totals = Pick<JobTotals, 'nodes' | 'states' | 'sums'>;

const STATES = RUN_STATES.filter((state) => state !== 'running');

const totalsSchema: z.ZodType<Totals> = z.object({
  nodes: z.number(),
  states: z.record(z.enum(STATES), z.number()),
  sums: summarySchema,
});

const NOTHING: Totals = {
  nodes: 0,
  states: { completed: 0, failed: 0, refused: 0, interrupted: 0, killed: 0 },
  sums: {
    images: 0,
    keep: 0,
    remove: 0,
    removed: 0,
    absent: 0,
    keptAfterAll: 0,
    failed: 0,
    notAttempted: 0,
    scanned: 0,
    verdictsReused: 0,
    estimatedBytes: 0,
    reclaimedBytes: 0,
  },
};

/** The key of a job, which gets a row when it is heard of for the first time. */
export async function jobKey(changes: Changes, time: HistoryTime, uid: string): Promise<number> {
  const find = changes.selectFrom('job').select('key').where('uid', '=', uid);
  const known = await find.executeTakeFirst();
  if (known !== undefined) return known.key;
  const values = { uid, began_ms: await time.record(changes), totals: JSON.stringify(NOTHING) };
  await changes.insertInto('job').values(values).execute();
  return (await find.executeTakeFirstOrThrow()).key;
}

export async function recordJobBegan(changes: Changes, time: HistoryTime, { uid, name, mode, startedAt }: JobFacts): Promise<void> {
  const key = await jobKey(changes, time, uid);
  await changes.updateTable('job').set({ name, mode, started_at: startedAt }).where('key', '=', key).execute();
}

export async function recordJobEnded(changes: Changes, time: HistoryTime, uid: string, endedAt: number): Promise<void> {
  const key = await jobKey(changes, time, uid);
  await changes.updateTable('job').set({ ended_at: endedAt }).where('key', '=', key).execute();
}

/** Kept with the job, so that they hold when the runs of its nodes are forgotten. */
export async function addToTotals(
  changes: Changes,
  historyName: string,
  key: number,
  ended: readonly { readonly state: RunEnd['state']; readonly summary: RunSummary | null }[],
): Promise<void> {
  const { totals } = await changes.selectFrom('job').select('totals').where('key', '=', key).executeTakeFirstOrThrow();
  const sum = ended.reduce(add, readTotalsColumn(totals, historyName));
  await changes
    .updateTable('job')
    .set({ totals: JSON.stringify(sum) })
    .where('key', '=', key)
    .execute();
}

function add({ nodes, states, sums }: Totals, ended: { readonly state: RunEnd['state']; readonly summary: RunSummary | null }): Totals {
  const { summary } = ended;
  return {
    nodes: nodes + 1,
    states: { ...states, [ended.state]: states[ended.state] + 1 },
    sums: summary === null ? sums : addSummaries(sums, summary),
  };
}

function addSummaries(one: RunSummary, other: RunSummary): RunSummary {
  return {
    images: one.images + other.images,
    keep: one.keep + other.keep,
    remove: one.remove + other.remove,
    removed: one.removed + other.removed,
    absent: one.absent + other.absent,
    keptAfterAll: one.keptAfterAll + other.keptAfterAll,
    failed: one.failed + other.failed,
    notAttempted: one.notAttempted + other.notAttempted,
    scanned: one.scanned + other.scanned,
    verdictsReused: one.verdictsReused + other.verdictsReused,
    estimatedBytes: one.estimatedBytes + other.estimatedBytes,
    reclaimedBytes: one.reclaimedBytes + other.reclaimedBytes,
  };
}

export async function readJobTotals({ queries, name }: HistoryDatabase, uid: string): Promise<JobTotals | null> {
  const row = await queries.selectFrom('job').selectAll().where('uid', '=', uid).executeTakeFirst();
  return row === undefined ? null : jobTotalsOf(row, name);
}

export function jobTotalsOf(row: Pick<JobTable, 'name' | 'mode' | 'started_at' | 'ended_at' | 'totals'>, historyName: string): JobTotals {
  return {
    name: row.name,
    mode: runModeSchema.nullable().catch(null).parse(row.mode),
    startedAt: row.started_at,
    endedAt: row.ended_at,
    ...readTotalsColumn(row.totals, historyName),
  };
}

function readTotalsColumn(json: string, historyName: string): Totals {
  const parsed = totalsSchema.safeParse(parseJson(json));
  if (parsed.success) return parsed.data;
  throw historyError(
    'corrupt',
    `the history ${historyName} is damaged: the totals of a job cannot be read (${z.prettifyError(parsed.error)})`,
  );
}
