import type { NodeRun } from '../api/coordinator/coordinator-api.ts';
import type { NodeResults } from '../api/coordinator/results-call.ts';
import type { RunSummary } from '../api/run-record.ts';
import { ClusterHistoryError } from './cluster-history.ts';
import type { PlannedRun } from './history.ts';
import type { Changes, HistoryDatabase, Queries } from './history-database.ts';
import { historyError } from './history-error.ts';
import type { HistoryTime } from './history-time.ts';
import { idKey } from './id-key.ts';
import { endStays } from './image-sightings.ts';
import { addToTotals, jobKey } from './jobs.ts';
import { nodeEndpoint } from './node-endpoint.ts';
import { parseJson } from './pack.ts';
import { insertDecisions, type DecisionEntry } from './plan-rows.ts';
import { summarySchema } from './row-schemas.ts';

export interface NodeRunsOptions {
  /** Of the history, for messages. */
  readonly historyName: string;
  readonly time: HistoryTime;
  /** Of Image Cleaner. */
  readonly version: string;
  readonly namesOf: PlannedRun['namesOf'];
}

/** What came of a job on a node. */
export interface NodeRunEntry {
  readonly run: NodeRun;
  readonly results: NodeResults;
  readonly digest: string;
}

export async function readRecordedDigest(queries: Queries, { job, node }: NodeRun): Promise<string | null> {
  const row = await queries
    .selectFrom('node_run')
    .innerJoin('job', 'job.key', 'node_run.job_key')
    .select('digest')
    .where('uid', '=', job)
    .where('node', '=', node)
    .executeTakeFirst();
  return row?.digest ?? null;
}

/** The summaries of a job's nodes whose results came to their end, by node; null: nothing was planned there. */
export async function readCompleted({ queries, name }: HistoryDatabase, job: string): Promise<Map<string, RunSummary | null>> {
  const rows = await queries
    .selectFrom('node_run')
    .innerJoin('job', 'job.key', 'node_run.job_key')
    .innerJoin('run', 'run.id', 'node_run.run_id')
    .select(['node', 'summary'])
    .where('uid', '=', job)
    .where('run.state', '=', 'completed')
    .execute();
  return new Map(rows.map(({ node, summary }) => [node, summary === null ? null : readSummary(summary, name)]));
}

function readSummary(json: string, historyName: string): RunSummary {
  const parsed = summarySchema.safeParse(parseJson(json));
  if (parsed.success) return parsed.data;
  throw historyError('corrupt', `the history ${historyName} is damaged: the summary of a run cannot be read`, parsed.error);
}

/**
 * Records each of them that is not on record already, with all its decisions.
 * @throws ClusterHistoryError `recorded-otherwise`
 */
export async function recordNodeRuns(changes: Changes, options: NodeRunsOptions, entries: readonly NodeRunEntry[]): Promise<void> {
  const decisions: DecisionEntry[] = [];
  for (const [job, ofJob] of Map.groupBy(entries, ({ run }) => run.job)) {
    const key = await jobKey(changes, options.time, job);
    const recorded: NodeResults[] = [];
    for (const entry of ofJob) {
      const before = await readRecordedDigest(changes, entry.run);
      if (before !== null && before !== entry.digest) throw recordedOtherwise(entry.run);
      if (before !== null) continue;
      const runId = await insertNodeRun(changes, options, key, entry);
      for (const [position, decision] of entry.results.decisions.entries()) decisions.push(decisionEntry(runId, position, decision));
      await endStays(changes, nodeEndpoint(entry.run.node), goneFrom(entry.results));
      recorded.push(entry.results);
    }
    if (recorded.length > 0) await addToTotals(changes, options.historyName, key, recorded);
  }
  await insertDecisions(changes, decisions, options.namesOf);
}

function recordedOtherwise({ job, node }: NodeRun): ClusterHistoryError {
  const message = `other results of node ${node} in the run ${job} have been recorded meanwhile`;
  return new ClusterHistoryError({ code: 'recorded-otherwise', message, action: 'retry' });
}

async function insertNodeRun(
  changes: Changes,
  { time, version }: NodeRunsOptions,
  jobKeyOfRun: number,
  { run: { node }, results, digest }: NodeRunEntry,
): Promise<number> {
  const { runtime, scanner, summary, filesystem } = results;
  const last = await changes
    .selectFrom('run')
    .select(({ fn }) => fn.max('id').as('id'))
    .executeTakeFirst();
  const id = (last?.id ?? 0) + 1;
  await changes
    .insertInto('run')
    .values({
      id,
      began_ms: await time.record(changes),
      started_at: instant(results.startedAt),
      ended_at: instant(results.endedAt),
      state: results.state,
      mode: results.mode,
      version,
      pid: 0,
      host: node,
      asked_by: '',
      runtime_endpoint: nodeEndpoint(node),
      command: '[]',
      message: results.message,
      runtime: runtime === null ? null : JSON.stringify(runtime),
      scanner: scanner === null ? null : JSON.stringify(scanner),
      summary: summary === null ? null : JSON.stringify(summary),
      filesystem: filesystem === null ? null : JSON.stringify(filesystem),
    })
    .execute();
  const facts = { job_key: jobKeyOfRun, node, digest, recorded_at: time.wallAt(), omitted_findings: results.omittedFindings };
  await changes
    .insertInto('node_run')
    .values({ run_id: id, ...facts })
    .execute();
  return id;
}

type NodeDecision = NodeResults['decisions'][number];

function decisionEntry(runId: number, position: number, { imageId, ruling, removal, ...decision }: NodeDecision): DecisionEntry {
  const { repoTags, repoDigests } = decision;
  return {
    runId,
    position,
    image: { id: imageId, repoTags, repoDigests, sizeBytes: whole(decision.sizeBytes) },
    outcome: ruling.outcome,
    reason: ruling.reason,
    estimatedBytes: whole(decision.estimatedBytes),
    removal:
      removal === null
        ? null
        : { ...removal, at: removal.at === null ? null : instant(removal.at), reclaimedBytes: whole(removal.reclaimedBytes) },
  };
}

/** Images that the node no longer has: pulled again before the next look, they are new. */
function goneFrom({ decisions }: NodeResults): string[] {
  const gone = decisions.filter(({ removal }) => removal?.state === 'removed' || removal?.state === 'absent');
  return gone.map(({ imageId }) => idKey(imageId));
}

/** A number that a node sent must not be one that cannot be read again: then no run could be shown. */
function whole(count: number): number {
  return Math.min(Math.round(count), Number.MAX_SAFE_INTEGER);
}

/** The furthest that a date can be from 1970, in milliseconds. */
const FURTHEST_MS = 8_640_000_000_000_000;

function instant(ms: number): number {
  return Math.max(-FURTHEST_MS, Math.min(Math.round(ms), FURTHEST_MS));
}
