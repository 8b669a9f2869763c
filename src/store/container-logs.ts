import type { NodeRun } from '../api/coordinator/coordinator-api.ts';
import type { ContainerLog } from '../api/run-record.ts';
import { ClusterHistoryError, type LogPiece, type LogPosition, type WorkerPod } from './cluster-history.ts';
import type { Changes, Queries } from './history-database.ts';
import type { HistoryTime } from './history-time.ts';
import { inBatches } from './in-batches.ts';
import { jobKey } from './jobs.ts';
import { pack, parseJson, unpack } from './pack.ts';
import { textsSchema } from './row-schemas.ts';

export interface LogEntry {
  readonly pod: WorkerPod;
  readonly piece: LogPiece;
}

const NOTHING: LogPosition = { pieces: 0, bytes: 0 };

export async function readLogPosition(queries: Queries, podUid: string, container: string): Promise<LogPosition> {
  const row = await queries
    .selectFrom('log')
    .select(['pieces', 'bytes'])
    .where('pod_uid', '=', podUid)
    .where('container', '=', container)
    .executeTakeFirst();
  return row ?? NOTHING;
}

/**
 * Keeps each piece that is not there already. `mostBytes`: of all pieces of all logs, as they are stored; the oldest go for new ones.
 * @throws ClusterHistoryError `log-gap`
 */
export async function appendLogPieces(
  changes: Changes,
  { time, mostBytes }: { readonly time: HistoryTime; readonly mostBytes: number },
  entries: readonly LogEntry[],
): Promise<void> {
  for (const { pod, piece } of entries) {
    const { pieces, bytes } = await readLogPosition(changes, pod.podUid, piece.container);
    if (piece.sequence < pieces) continue;
    if (piece.sequence > pieces) throw logGap(pod, piece, pieces);
    const log_key = await putLog(changes, time, { pod, piece, bytesBefore: bytes });
    const packed = pack(JSON.stringify(piece.lines));
    await changes.insertInto('log_piece').values({ log_key, sequence: piece.sequence, packed }).execute();
  }
  await makeRoom(changes, mostBytes);
}

function logGap({ podName }: WorkerPod, { container, sequence }: LogPiece, pieces: number): ClusterHistoryError {
  const message = `piece ${sequence} of the log of ${container} in ${podName} came, and ${pieces} are on record`;
  return new ClusterHistoryError({ code: 'log-gap', message, action: 'retry' });
}

interface PutLog extends LogEntry {
  readonly bytesBefore: number;
}

async function putLog(changes: Changes, time: HistoryTime, { pod, piece, bytesBefore }: PutLog): Promise<number> {
  const lineBytes = piece.lines.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0);
  const state = { pieces: piece.sequence + 1, bytes: bytesBefore + lineBytes, last_ms: await time.record(changes) };
  const name = { pod_uid: pod.podUid, container: piece.container };
  const { key } = await changes
    .insertInto('log')
    .values({ ...name, pod_name: pod.podName, node: pod.node, job_key: await jobKey(changes, time, pod.job), ...state })
    .onConflict((conflict) => conflict.columns(['pod_uid', 'container']).doUpdateSet(state))
    .returning('key')
    .executeTakeFirstOrThrow();
  return key;
}

/** Drops the oldest pieces until all together have no more bytes. */
export async function makeRoom(changes: Changes, mostBytes: number): Promise<void> {
  for (;;) {
    let over = (await changes.selectFrom('log_size').select('bytes').executeTakeFirstOrThrow()).bytes - mostBytes;
    if (over <= 0) return;
    const oldest = await changes
      .selectFrom('log_piece')
      .select(({ fn }) => ['key', fn<number>('length', ['packed']).as('bytes')])
      .orderBy('key')
      .limit(100)
      .execute();
    const dropped: number[] = [];
    for (const { key, bytes } of oldest) {
      if (over <= 0) break;
      dropped.push(key);
      over -= bytes;
    }
    if (dropped.length === 0) return;
    await changes.deleteFrom('log_piece').where('key', 'in', dropped).execute();
  }
}

export async function readContainerLogs(queries: Queries, { job, node }: NodeRun): Promise<ContainerLog[]> {
  const logs = await queries
    .selectFrom('log')
    .innerJoin('job', 'job.key', 'log.job_key')
    .select(['log.key', 'pod_name', 'container', 'pieces'])
    .where('uid', '=', job)
    .where('node', '=', node)
    .orderBy('log.key')
    .execute();
  const read: ContainerLog[] = [];
  for (const { key, pod_name, container, pieces } of logs) {
    const rows = await queries.selectFrom('log_piece').select('packed').where('log_key', '=', key).orderBy('sequence').execute();
    const texts = rows.map(({ packed }) => readLines(packed)).filter((lines) => lines !== null);
    read.push({ podName: pod_name, container, lines: texts.flat(), missingPieces: pieces - texts.length });
  }
  return read;
}

/** null: damaged. */
function readLines(packed: Uint8Array): string[] | null {
  const data = unpack(packed);
  return data === null ? null : (textsSchema.safeParse(parseJson(Buffer.from(data).toString('utf8'))).data ?? null);
}

/** What has not been added to since, with all its pieces, and some at once. Gives how many. */
export async function deleteLogsBefore(changes: Changes, oldestMs: number, most: number): Promise<number> {
  const rows = await changes.selectFrom('log').select('key').where('last_ms', '<', oldestMs).orderBy('key').limit(most).execute();
  for (const keys of inBatches(rows.map(({ key }) => key))) await changes.deleteFrom('log').where('key', 'in', keys).execute();
  return rows.length;
}
