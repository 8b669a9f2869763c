import type { JobRecord, RunRecord } from '../../api/run-record.ts';
import type { HistoryReader } from '../../store/history.ts';
import { CliError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';
import { describeJob, describeRecordedDecision, describeRecordedRun } from '../output/describe-history.ts';
import { formatJobRecords, formatRuns } from '../output/format-history.ts';
import { printable } from '../output/image-name.ts';
import { screenOf } from '../output/terminal.ts';
import { writeDocument, writeJsonList } from '../output/write-document.ts';
import type { HistoryCommandOptions } from '../parsed-options.ts';

interface Show {
  readonly context: CliContext;
  readonly options: HistoryCommandOptions;
  readonly history: HistoryReader;
}

const JOBS_SHOWN = 20;
/** More than any cluster has. */
const MOST_NODES = 1_000_000;

/** `history --jobs`. */
export async function showJobs(
  { context, options, history }: Show,
  bounds: { readonly since?: number; readonly until?: number },
): Promise<void> {
  const jobs = await history.listJobs({ limit: options.limit ?? JOBS_SHOWN, ...bounds });
  await writeDocument(context.stdout, options.output, jobs.map(describeJob), () =>
    formatJobRecords(jobs, screenOf(context, context.stdout)),
  );
}

/** `history --job JOB`: node by node, since a job on a thousand nodes has more decisions than fit into the memory of a small container. */
export async function showJob(show: Show, nameOrUid: string): Promise<void> {
  const { context, options, history } = show;
  const job = await history.findJob(nameOrUid);
  if (job === null) {
    throw new CliError({
      code: 'not-found',
      message: `the history has no job ${nameOrUid}`,
      hint: '`image-cleaner history --jobs` lists them.',
    });
  }
  if (options.logs === true) return showLogs(show, job);
  const runs = await history.listRuns({ job: job.uid, limit: MOST_NODES, ...nodeOf(options) });
  if (options.output === 'json') return writeJsonList(context.stdout, withDecisions(history, runs));
  const documents = options.output === 'yaml' ? await allOf(withDecisions(history, runs)) : [];
  await writeDocument(context.stdout, options.output, documents, () => formatRuns(runs, screenOf(context, context.stdout)));
}

async function* withDecisions(history: HistoryReader, runs: readonly RunRecord[]): AsyncGenerator<Readonly<Record<string, unknown>>> {
  for (const run of runs) {
    const decisions = await history.readDecisions(run.id);
    yield { ...describeRecordedRun(run), decisions: decisions.map(describeRecordedDecision) };
  }
}

async function showLogs({ context, options, history }: Show, job: JobRecord): Promise<void> {
  const nodes = options.node === undefined ? await history.listLoggedNodes(job.uid) : [options.node];
  const logs = async function* (): AsyncGenerator<Readonly<Record<string, unknown>>> {
    for (const node of nodes) for (const log of await history.readLogs({ job: job.uid, node })) yield { node, ...log };
  };
  if (options.output === 'json') return writeJsonList(context.stdout, logs());
  if (options.output === 'yaml') return writeDocument(context.stdout, 'yaml', await allOf(logs()), () => '');
  for (const node of nodes) {
    for (const { container, lines } of await history.readLogs({ job: job.uid, node })) {
      for (const line of lines) context.stdout.write(`${node} ${container}: ${printable(line)}\n`);
    }
  }
}

export function nodeOf({ node }: HistoryCommandOptions): { readonly node?: string } {
  return node === undefined ? {} : { node };
}

async function allOf<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = [];
  for await (const item of items) all.push(item);
  return all;
}
