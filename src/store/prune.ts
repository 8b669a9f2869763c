import type { ClusterRetention } from './cluster-history.ts';
import type { PruneResult } from './history.ts';
import type { Changes, HistoryDatabase, Queries } from './history-database.ts';
import type { HistoryTime } from './history-time.ts';
import { inBatches } from './in-batches.ts';
import { nextTurn } from './next-turn.ts';
import { dropLogs, forgetJobs, forgetLogs, forgetNodes, LONGEST_JOB_MS } from './prune-cluster.ts';
import { forgetAnalyses } from './stored-analyses.ts';

/** What is deleted in one transaction: others who wait to write are let in between. */
const SCANS_AT_ONCE = 20;

/** Lets go of what is too old, then of the oldest until the rest is small enough, and gives the space back. */
export async function prune(
  database: HistoryDatabase,
  time: HistoryTime,
  { maxAgeMs, maxBytes, nodes }: ClusterRetention,
  signal?: AbortSignal,
): Promise<PruneResult> {
  const { queries } = database;
  const nowMs = await time.read(queries);
  const oldestMs = nowMs - maxAgeMs;
  const isTooLarge = async (): Promise<boolean> => (await database.usedBytes()) > maxBytes;
  const done = { runs: 0, analyses: 0 };
  const forgetRuns = async (runIds: readonly number[]): Promise<void> => {
    for (const runId of runIds) {
      await deleteRun(database, runId);
      done.runs += 1;
      await nextTurn(signal);
    }
  };
  const forgetScans = async (all: readonly ScanName[]): Promise<void> => {
    for (const scans of inBatches(all, SCANS_AT_ONCE)) {
      done.analyses += await deleteScans(database, scans);
      await nextTurn(signal);
    }
  };

  await forgetRuns(await listEndedRuns(queries, { nowMs, beforeMs: oldestMs }));
  await forgetScans(await listScans(queries, { absentOnly: true, beforeMs: oldestMs }));
  await deleteForgotten(database, oldestMs);
  const pruning = { database, nowMs, signal };
  await forgetNodes(pruning, nodes);
  await forgetLogs(pruning, oldestMs);
  // What is of use for a short time goes first, then what can be made again: the record of runs goes last of all.
  await dropLogs(pruning, isTooLarge);
  for (const absentOnly of [true, false]) {
    if (!(await isTooLarge())) break;
    await untilSmall(await listScans(queries, { absentOnly, beforeMs: null }), { database, maxBytes }, forgetScans);
  }
  if (await isTooLarge()) await untilSmall(await listEndedRuns(queries, { nowMs, beforeMs: null }), { database, maxBytes }, forgetRuns);
  await forgetJobs(pruning, oldestMs);
  await database.giveSpaceBack(signal);
  return { ...done, bytes: await database.heldBytes() };
}

/**
 * Forgets the first of them until the rest is small enough. To know how much there is may take a look at every row, so it is asked a few times only:
 * each time half of those go that would be too many if all were of one size.
 */
async function untilSmall<T>(
  oldestFirst: readonly T[],
  { database, maxBytes }: { readonly database: HistoryDatabase; readonly maxBytes: number },
  forget: (some: readonly T[]) => Promise<void>,
): Promise<void> {
  for (let left = oldestFirst; left.length > 0;) {
    const bytes = await database.usedBytes();
    if (bytes <= maxBytes) return;
    const count = Math.max(1, Math.floor((left.length * (1 - maxBytes / bytes)) / 2));
    await forget(left.slice(0, count));
    left = left.slice(count);
  }
}

/**
 * Oldest first, without the last one, which gives the next its number, and those of a job that goes on: their nodes may send the same results again.
 * `beforeMs` null: of whatever age.
 */
async function listEndedRuns(
  queries: Queries,
  { nowMs, beforeMs }: { readonly nowMs: number; readonly beforeMs: number | null },
): Promise<number[]> {
  const rows = await queries
    .selectFrom('run')
    .select('id')
    .where('state', '!=', 'running')
    .where('id', '<', (inner) => inner.selectFrom('run').select(({ fn }) => fn.max('id').as('id')))
    .$if(beforeMs !== null, (query) => query.where('began_ms', '<', beforeMs ?? 0))
    .where((is) =>
      is.not(
        is.exists(
          is
            .selectFrom('node_run')
            .innerJoin('job', 'job.key', 'node_run.job_key')
            .select('run_id')
            .whereRef('run_id', '=', 'run.id')
            .where('job.ended_at', 'is', null)
            .where('job.began_ms', '>', nowMs - LONGEST_JOB_MS),
        ),
      ),
    )
    .orderBy('id')
    .execute();
  return rows.map(({ id }) => id);
}

/** With the names and reasons that no other decision has. */
async function deleteRun(database: HistoryDatabase, runId: number): Promise<void> {
  await database.write('process', async (changes) => {
    const rows = await changes.selectFrom('decision').select(['naming_key', 'reason_key']).where('run_id', '=', runId).execute();
    await changes.deleteFrom('run').where('id', '=', runId).execute();
    for (const keys of inBatches([...new Set(rows.map(({ naming_key }) => naming_key))])) {
      await changes
        .deleteFrom('naming')
        .where('key', 'in', keys)
        .where((is) => is.not(is.exists(is.selectFrom('decision').select('run_id').whereRef('naming_key', '=', 'naming.key'))))
        .execute();
    }
    for (const keys of inBatches([...new Set(rows.map(({ reason_key }) => reason_key))])) {
      await changes
        .deleteFrom('reason')
        .where('key', 'in', keys)
        .where((is) => is.not(is.exists(is.selectFrom('decision').select('run_id').whereRef('reason_key', '=', 'reason.key'))))
        .execute();
    }
  });
}

interface ScanName {
  readonly id_key: string;
  readonly scanner_name: string;
}

/**
 * What is kept of scans, least recently kept first. `absentOnly`: of images that no runtime had when it was last looked at; none before the first
 * look, since nothing is known then. `beforeMs` null: of whatever age.
 */
async function listScans(
  queries: Queries,
  { absentOnly, beforeMs }: { readonly absentOnly: boolean; readonly beforeMs: number | null },
): Promise<ScanName[]> {
  const looks = await queries.selectFrom('sighted_runtime').select('sighted_ms').execute();
  if (absentOnly && looks.length === 0) return [];
  const lastLookMs = Math.max(0, ...looks.map(({ sighted_ms }) => sighted_ms));
  const kept = queries
    .selectFrom('analysis')
    .select(['id_key', 'scanner_name', 'kept_ms'])
    .unionAll(
      queries
        .selectFrom('scan_report')
        .select(['id_key', 'scanner_name', 'judged_ms as kept_ms'])
        .where((is) =>
          is.not(
            is.exists(
              is
                .selectFrom('analysis')
                .select('kept_ms')
                .whereRef('analysis.id_key', '=', 'scan_report.id_key')
                .whereRef('analysis.scanner_name', '=', 'scan_report.scanner_name'),
            ),
          ),
        ),
    );
  return queries
    .selectFrom(kept.as('kept'))
    .select(['id_key', 'scanner_name'])
    .$if(beforeMs !== null, (query) => query.where('kept_ms', '<', beforeMs ?? 0))
    .$if(absentOnly, (query) =>
      query.where('kept_ms', '<', lastLookMs).where((is) =>
        is.not(
          is.exists(
            is
              .selectFrom('sighting')
              .innerJoin('sighted_runtime', 'sighted_runtime.runtime_endpoint', 'sighting.runtime_endpoint')
              .select('last_seen_ms')
              .whereRef('sighting.id_key', '=', 'kept.id_key')
              .where((or) => or.or([or('last_seen_ms', '>=', or.ref('sighted_ms')), or('last_seen_ms', '>=', beforeMs ?? lastLookMs)])),
          ),
        ),
      ),
    )
    .orderBy('kept_ms')
    .execute();
}

/** How many analyses were among them. */
async function deleteScans(database: HistoryDatabase, scans: readonly ScanName[]): Promise<number> {
  let analyses = 0;
  await database.write('process', async (changes) => {
    for (const { id_key, scanner_name } of scans) {
      const analysis = changes
        .selectFrom('analysis')
        .select('kept_ms')
        .where('id_key', '=', id_key)
        .where('scanner_name', '=', scanner_name);
      if ((await analysis.executeTakeFirst()) !== undefined) analyses += 1;
      await forgetAnalyses(changes, [id_key], scanner_name);
      await changes.deleteFrom('scan_report').where('id_key', '=', id_key).where('scanner_name', '=', scanner_name).execute();
    }
  });
  return analyses;
}

/** Stays that ended long ago, images that no decision mentions, and what else is of no more use. What is on a node keeps its age. */
async function deleteForgotten(database: HistoryDatabase, oldestMs: number): Promise<void> {
  await database.write('process', async (changes) => {
    await changes.deleteFrom('scan_report').where('judged_ms', '<', oldestMs).execute();
    await changes.deleteFrom('scanner_version').where('told_ms', '<', oldestMs).execute();
    for (const { runtime_endpoint, sighted_ms } of await changes.selectFrom('sighted_runtime').selectAll().execute()) {
      await changes
        .deleteFrom('sighting')
        .where('runtime_endpoint', '=', runtime_endpoint)
        .where('last_seen_ms', '<', Math.min(oldestMs, sighted_ms))
        .execute();
    }
    await deleteUnmentionedImages(changes);
  });
}

async function deleteUnmentionedImages(changes: Changes): Promise<void> {
  await changes
    .deleteFrom('image')
    .where((is) => is.not(is.exists(is.selectFrom('decision').select('run_id').whereRef('image_key', '=', 'image.key'))))
    .execute();
}
