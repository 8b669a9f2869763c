import type { NodeRun } from '../api/coordinator/coordinator-api.ts';
import type { NodeVerdict } from '../api/node-verdict.ts';
import type { Changes, Queries } from './history-database.ts';
import type { HistoryTime } from './history-time.ts';
import { inBatches } from './in-batches.ts';
import { nodeEndpoint } from './node-endpoint.ts';
import { listNodeVerdicts } from './node-verdicts.ts';
import { forgetAnalyses } from './stored-analyses.ts';

/** The number of the last one; 0: there was none. It only grows. */
export async function readLastRevocation(queries: Queries): Promise<number> {
  const row = await queries
    .selectFrom('revocation')
    .select(({ fn }) => fn.max('key').as('key'))
    .executeTakeFirst();
  return row?.key ?? 0;
}

/**
 * Whether what this node tells in this run counts no more: the run had begun when what the node told was taken back. By either clock, and of a run
 * whose beginning is not on record, since a node that was not to be trusted is to have no second say.
 */
export async function isRevokedIn(queries: Queries, { node, job }: NodeRun): Promise<boolean> {
  const last = await queries
    .selectFrom('revocation')
    .select(['revoked_ms', 'revoked_at'])
    .where('node', '=', node)
    .orderBy('key', 'desc')
    .limit(1)
    .executeTakeFirst();
  if (last === undefined) return false;
  const run = await queries.selectFrom('job').select(['began_ms', 'started_at']).where('uid', '=', job).executeTakeFirst();
  if (run === undefined || run.started_at === null) return true;
  return run.began_ms <= last.revoked_ms || run.started_at <= last.revoked_at;
}

/** The nodes of the revocations after this one. */
export async function readRevokedSince(queries: Queries, asOf: number): Promise<ReadonlyMap<string, number>> {
  const rows = await queries
    .selectFrom('revocation')
    .select(['node', ({ fn }) => fn.max('key').as('key')])
    .where('key', '>', asOf)
    .groupBy('node')
    .execute();
  return new Map(rows.map(({ node, key }) => [node, key]));
}

/** Takes back all that this node has told of images, and gives it; null: the node was never heard of, and nothing is changed. */
export async function revokeNode(changes: Changes, time: HistoryTime, node: string): Promise<NodeVerdict[] | null> {
  const verdicts = await readNodeVerdicts(changes, time, node);
  if (verdicts === null) return null;
  const read = await changes.selectFrom('analysis').select(['id_key', 'scanner_name']).where('reported_by', '=', node).execute();
  for (const [scanner, analyses] of Map.groupBy(read, ({ scanner_name }) => scanner_name)) {
    for (const batch of inBatches(analyses.map(({ id_key }) => id_key))) await forgetAnalyses(changes, batch, scanner);
  }
  await changes.deleteFrom('scan_report').where('reported_by', '=', node).execute();
  const revoked = { node, revoked_ms: await time.record(changes), revoked_at: time.wallAt() };
  // By the clock, so that in a file that takes the place of another no number means something else.
  const key = Math.max((await readLastRevocation(changes)) + 1, revoked.revoked_at);
  await changes
    .insertInto('revocation')
    .values({ key, ...revoked })
    .execute();
  return verdicts;
}

/** null: the node was never heard of. `node` not given: of all. */
export async function readNodeVerdicts(queries: Queries, time: HistoryTime, node?: string): Promise<NodeVerdict[] | null> {
  const verdicts = await listNodeVerdicts(queries, time, node);
  return verdicts.length > 0 || node === undefined || (await isKnownNode(queries, node)) ? verdicts : null;
}

/** Whether it was ever looked at: one without a verdict may read an image in a run that goes on. */
async function isKnownNode(queries: Queries, node: string): Promise<boolean> {
  const look = queries.selectFrom('sighted_runtime').select('sighted_ms').where('runtime_endpoint', '=', nodeEndpoint(node));
  return (await look.executeTakeFirst()) !== undefined;
}
