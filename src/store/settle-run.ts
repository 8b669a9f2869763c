import type { RemovalState, RunRecord, RunSummary } from '../api/run-record.ts';
import type { UnfinishedRun } from './history.ts';
import { historyError } from './history-error.ts';
import type { Changes, HistoryDatabase } from './history-database.ts';
import { idKey } from './id-key.ts';
import { endStays } from './image-sightings.ts';
import { inBatches } from './in-batches.ts';
import { readRun, selectRuns } from './read-runs.ts';
import { RowReader } from './run-rows.ts';

export async function listUnfinishedRuns({ queries, name }: HistoryDatabase): Promise<UnfinishedRun[]> {
  const reader = new RowReader(name);
  const unfinished: UnfinishedRun[] = [];
  for (const row of await selectRuns(queries).where('run.state', '=', 'running').orderBy('run.id').execute()) {
    const open = await queries
      .selectFrom('decision')
      .innerJoin('image', 'image.key', 'decision.image_key')
      .select(['image.id', 'removal_state'])
      .where('run_id', '=', row.id)
      .where('removal_state', 'in', ['planned', 'in-hand'])
      .orderBy('position')
      .execute();
    unfinished.push({
      run: reader.run(row),
      open: open.map(({ id, removal_state }) => ({
        imageId: id,
        state: removal_state === 'planned' ? ('planned' as const) : ('in-hand' as const),
      })),
    });
  }
  return unfinished;
}

/** What became of the removals that a dead run left open, told by what the runtime has now. */
export async function settleKilledRun(
  database: HistoryDatabase,
  runId: number,
  present: ReadonlySet<string>,
  at: number,
): Promise<RunRecord> {
  const presentKeys = new Set([...present].map(idKey));
  await database.write('power', async (changes) => {
    const run = await changes
      .selectFrom('run')
      .select(['state', 'pid', 'host', 'runtime_endpoint'])
      .where('id', '=', runId)
      .executeTakeFirst();
    if (run?.state !== 'running') return;
    const open = await changes
      .selectFrom('decision')
      .innerJoin('image', 'image.key', 'decision.image_key')
      .select(['image_key', 'id_key', 'removal_state'])
      .where('run_id', '=', runId)
      .where('removal_state', 'in', ['planned', 'in-hand'])
      .execute();
    const keysOf = (state: RemovalState, isPresent: boolean): number[] =>
      open.filter((row) => row.removal_state === state && presentKeys.has(row.id_key) === isPresent).map(({ image_key }) => image_key);
    const close = (images: number[], from: RemovalState, to: RemovalState, message: string | null): Promise<void> =>
      closeRemovals(changes, runId, at, { from, to, message, images });
    await close(
      keysOf('in-hand', false),
      'in-hand',
      'removed',
      'the run was killed while this was under way; the runtime no longer has the image',
    );
    await close(keysOf('in-hand', true), 'in-hand', 'failed', 'the run was killed while this was under way; the runtime has the image now');
    await close(
      keysOf('planned', false),
      'planned',
      'not-attempted',
      'not on record as begun when the run was killed, yet the image is gone',
    );
    await close(keysOf('planned', true), 'planned', 'not-attempted', null);
    // What was in hand and is there may have been removed and pulled again: it counts as new, too.
    const ended = open.filter((row) => row.removal_state === 'in-hand' || !presentKeys.has(row.id_key));
    await endStays(
      changes,
      run.runtime_endpoint,
      ended.map(({ id_key }) => id_key),
    );
    for (const keys of inBatches(open.map(({ image_key }) => image_key)))
      await changes.updateTable('decision').set({ audit_due: 1 }).where('run_id', '=', runId).where('image_key', 'in', keys).execute();
    await changes
      .updateTable('decision')
      .set((row) => ({ reclaimed_bytes: row.ref('estimated_bytes') }))
      .where('run_id', '=', runId)
      .where('removal_state', '=', 'removed')
      .execute();
    const summary = await summariseRemovals(changes, runId);
    await changes
      .updateTable('run')
      .set({
        ended_at: at,
        state: 'killed',
        message: `process ${run.pid} on ${run.host} ended without a word; the next run found out what became of its removals`,
        summary: summary === null ? null : JSON.stringify(summary),
      })
      .where('id', '=', runId)
      .execute();
  });
  const run = await readRun(database, runId);
  if (run === null) throw historyError('corrupt', `the history ${database.name} has no run ${runId}`);
  return run;
}

export interface RemovalClosing {
  readonly from: RemovalState;
  readonly to: RemovalState;
  readonly message: string | null;
  /** Keys; all by default. */
  readonly images?: readonly number[];
}

export async function closeRemovals(
  changes: Changes,
  runId: number,
  at: number,
  { from, to, message, images }: RemovalClosing,
): Promise<void> {
  const update = changes
    .updateTable('decision')
    .set({ removal_state: to, removal_at: at, removal_message: message })
    .where('run_id', '=', runId)
    .where('removal_state', '=', from);
  if (images === undefined) await update.execute();
  else for (const batch of inBatches(images)) await update.where('image_key', 'in', batch).execute();
}

/** null: the run ended before it had a plan. How many images it scanned died with it. */
async function summariseRemovals(changes: Changes, runId: number): Promise<RunSummary | null> {
  const rows = await changes
    .selectFrom('decision')
    .select(({ fn }) => [
      'removal_state',
      fn.countAll<number | string>().as('images'),
      fn.sum<number | string>('estimated_bytes').as('estimated'),
      fn.sum<number | string>('reclaimed_bytes').as('reclaimed'),
    ])
    .where('run_id', '=', runId)
    .groupBy('removal_state')
    .execute();
  if (rows.length === 0) return null;
  const imagesIn = (state: RemovalState | null): number => Number(rows.find((row) => row.removal_state === state)?.images ?? 0);
  const total = (pick: (row: (typeof rows)[number]) => number | string): number => rows.reduce((sum, row) => sum + Number(pick(row)), 0);
  const images = total((row) => row.images);
  return {
    images,
    keep: imagesIn(null),
    remove: images - imagesIn(null),
    removed: imagesIn('removed'),
    absent: imagesIn('absent'),
    keptAfterAll: imagesIn('kept'),
    failed: imagesIn('failed'),
    notAttempted: imagesIn('not-attempted'),
    scanned: 0,
    verdictsReused: 0,
    estimatedBytes: total((row) => row.estimated),
    reclaimedBytes: total((row) => row.reclaimed),
  };
}
