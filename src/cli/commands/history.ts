import type { RunRecord } from '../../api/run-record.ts';
import { referenceKeys } from '../../core/image-index.ts';
import type { HistoryReader, ImageQuery } from '../../store/history.ts';
import { openHistoryReader } from '../bind-history.ts';
import { badUsage, CliError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { describeImageDecision, describeRecordedDecision, describeRecordedRun, type ImageDecision } from '../output/describe-history.ts';
import { nodeOf, showJob, showJobs } from './history-of-jobs.ts';
import { revoke, showVerdicts } from './history-of-verdicts.ts';
import { formatImageHistory, formatRecordedRun, formatRuns } from '../output/format-history.ts';
import { screenOf } from '../output/terminal.ts';
import { writeDocument } from '../output/write-document.ts';
import type { HistoryCommandOptions } from '../parsed-options.ts';

/** `image-cleaner history [RUN]` and `history --image REF`: what was removed and what stayed, when, why, and how many bytes it freed. */
export async function history(context: CliContext, runId: number | undefined, options: HistoryCommandOptions): Promise<ExitCode> {
  if (runId !== undefined && options.image !== undefined)
    throw badUsage(`Run ${String(runId)} and --image exclude each other: --image shows all runs.`);
  if (options.revoke !== undefined && (runId !== undefined || isAnyGiven(options)))
    throw badUsage(
      '--revoke excludes what is to be shown.',
      '`image-cleaner history --verdicts --node NODE` shows what it would take back.',
    );
  if (options.revoke !== undefined) {
    await revoke(context, options.revoke, options);
    return EXIT.done;
  }
  const opened = await openHistoryReader(context, options, (message) => context.stderr.write(`Warning: ${message}\n`));
  try {
    const show = { context, options, history: opened };
    if (options.verdicts === true) await showVerdicts(show);
    else if (options.jobs === true) await showJobs(show, boundsOf(show));
    else if (options.job !== undefined) await showJob(show, options.job);
    else if (options.image !== undefined) await showImage(show, options.image);
    else if (runId !== undefined) await showRun(show, runId);
    else await showRuns(show);
    return EXIT.done;
  } finally {
    await opened.close();
  }
}

function isAnyGiven({ image, since, until, limit, node, jobs, job, logs, verdicts }: HistoryCommandOptions): boolean {
  return [image, since, until, limit, node, jobs, job, logs, verdicts].some((given) => given !== undefined);
}

interface Show {
  readonly context: CliContext;
  readonly options: HistoryCommandOptions;
  readonly history: HistoryReader;
}

function boundsOf({ context, options: { since, until } }: Show): { readonly since?: number; readonly until?: number } {
  const bound = ({ at, ago }: NonNullable<typeof since>): number => at ?? context.now() - (ago ?? 0);
  return { ...(since === undefined ? {} : { since: bound(since) }), ...(until === undefined ? {} : { until: bound(until) }) };
}

async function showRuns(show: Show): Promise<void> {
  const { context, options, history: opened } = show;
  const runs = await opened.listRuns({ limit: options.limit ?? RUNS_SHOWN, ...boundsOf(show), ...nodeOf(options) });
  await writeDocument(context.stdout, options.output, runs.map(describeRecordedRun), () =>
    formatRuns(runs, screenOf(context, context.stdout)),
  );
}

const RUNS_SHOWN = 20;

async function showRun({ context, options, history: opened }: Show, runId: number): Promise<void> {
  const run = await opened.readRun(runId);
  if (run === null) {
    throw new CliError({
      code: 'not-found',
      message: `the history has no run ${String(runId)}`,
      hint: '`image-cleaner history` lists them.',
    });
  }
  const decisions = await opened.readDecisions(runId);
  const document = { ...describeRecordedRun(run), decisions: decisions.map(describeRecordedDecision) };
  await writeDocument(context.stdout, options.output, document, () => formatRecordedRun(run, decisions, screenOf(context, context.stdout)));
}

async function showImage({ context, options, history: opened }: Show, name: string): Promise<void> {
  const decisions = await opened.readImageDecisions({ ...imageQuery(name), ...nodeOf(options), limit: options.limit ?? DECISIONS_SHOWN });
  if (decisions.length === 0) {
    throw new CliError({
      code: 'not-found',
      message: `the history knows no image named "${name}"`,
      hint: 'An image is named by tag, digest, id or the beginning of an id (four characters or more).',
    });
  }
  const runs = new Map<number, RunRecord>();
  for (const { runId } of decisions) {
    const run = runs.has(runId) ? null : await opened.readRun(runId);
    if (run !== null) runs.set(runId, run);
  }
  const dated = decisions.map((decision): ImageDecision => {
    const run = runs.get(decision.runId);
    return { decision, startedAt: run?.startedAt ?? null, ...(run?.node === undefined ? {} : { node: run.node }) };
  });
  await writeDocument(context.stdout, options.output, dated.map(describeImageDecision), () =>
    formatImageHistory(dated, screenOf(context, context.stdout)),
  );
}

/** Three years of daily runs. */
const DECISIONS_SHOWN = 1000;

/** All that the text may mean: the images of one name may have been several over time. */
function imageQuery(name: string): Omit<ImageQuery, 'limit'> {
  const bare = name.replace(/^sha256:/, '');
  const names = referenceKeys(name);
  if (!/^[0-9a-f]{4,64}$/.test(bare)) return { names };
  return { names: [...names, ...names.map((key) => `sha256:${key}`)], idPrefix: bare };
}
