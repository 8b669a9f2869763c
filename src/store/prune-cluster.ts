import { deleteLogsBefore, makeRoom } from './container-logs.ts';
import type { HistoryDatabase } from './history-database.ts';
import { inBatches } from './in-batches.ts';
import { nextTurn } from './next-turn.ts';
import { isNodeEndpoint, nodeEndpoint } from './node-endpoint.ts';

const DAY_MS = 86_400_000;

/** No job takes so long: one that has not ended by then never will, as far as this history is told. */
export const LONGEST_JOB_MS = 7 * DAY_MS;

/** Longer than any pause between two runs. */
const NODE_FORGOTTEN_MS = 100 * DAY_MS;
/** A node that has only just come may not be in the list of nodes yet. */
const NODE_NEW_MS = DAY_MS;

/** What is deleted in one transaction. */
const NODES_AT_ONCE = 20;
const LOGS_AT_ONCE = 50;
const LOG_BYTES_AT_ONCE = 1024 * 1024;

export interface Pruning {
  readonly database: HistoryDatabase;
  /** History time. */
  readonly nowMs: number;
  readonly signal: AbortSignal | undefined;
}

/** Forgets what was on nodes that are no more: clusters make and drop nodes, mostly under new names. `nodes`: those that there are, if it is known. */
export async function forgetNodes({ database, nowMs, signal }: Pruning, nodes: ReadonlySet<string> | undefined): Promise<void> {
  const present = nodes === undefined || nodes.size === 0 ? null : new Set([...nodes].map(nodeEndpoint));
  const looks = await database.queries.selectFrom('sighted_runtime').selectAll().execute();
  const gone = looks
    .filter(({ runtime_endpoint }) => isNodeEndpoint(runtime_endpoint) && present?.has(runtime_endpoint) !== true)
    .filter(({ sighted_ms }) => sighted_ms < nowMs - (present === null ? NODE_FORGOTTEN_MS : NODE_NEW_MS))
    .map(({ runtime_endpoint }) => runtime_endpoint);
  for (const endpoints of inBatches(gone, NODES_AT_ONCE)) {
    await database.write('process', async (changes) => {
      await changes.deleteFrom('sighting').where('runtime_endpoint', 'in', endpoints).execute();
      await changes.deleteFrom('sighted_runtime').where('runtime_endpoint', 'in', endpoints).execute();
    });
    await nextTurn(signal);
  }
}

/** What was not added to since. */
export async function forgetLogs({ database, signal }: Pruning, oldestMs: number): Promise<void> {
  for (;;) {
    const deleted = await database.write('process', (changes) => deleteLogsBefore(changes, oldestMs, LOGS_AT_ONCE));
    if (deleted === 0) break;
    await nextTurn(signal);
  }
}

/** Logs of ended jobs that have lost all their pieces, and old jobs of which nothing else is left. */
export async function forgetJobs({ database, nowMs }: Pruning, oldestMs: number): Promise<void> {
  await database.write('process', async (changes) => {
    await changes
      .deleteFrom('log')
      .where((is) => is.not(is.exists(is.selectFrom('log_piece').select('key').whereRef('log_key', '=', 'log.key'))))
      .where((is) =>
        is.exists(
          is
            .selectFrom('job')
            .select('key')
            .whereRef('job.key', '=', 'log.job_key')
            .where((or) => or.or([or('ended_at', 'is not', null), or('began_ms', '<', nowMs - LONGEST_JOB_MS)])),
        ),
      )
      .execute();
    await changes
      .deleteFrom('job')
      .where('began_ms', '<', oldestMs)
      .where((is) => is.not(is.exists(is.selectFrom('node_run').select('run_id').whereRef('job_key', '=', 'job.key'))))
      .where((is) => is.not(is.exists(is.selectFrom('log').select('key').whereRef('job_key', '=', 'job.key'))))
      .execute();
  });
}

/** Drops the oldest pieces of logs for as long as it is wanted. */
export async function dropLogs({ database, signal }: Pruning, isTooLarge: () => Promise<boolean>): Promise<void> {
  while (await isTooLarge()) {
    const { bytes } = await database.queries.selectFrom('log_size').select('bytes').executeTakeFirstOrThrow();
    if (bytes === 0) return;
    await database.write('process', (changes) => makeRoom(changes, Math.max(0, bytes - LOG_BYTES_AT_ONCE)));
    await nextTurn(signal);
  }
}
