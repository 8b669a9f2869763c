import { failedScans } from '../../core/failed-scans.ts';
import { removals, type RemovalPlan } from '../../core/plan-removal.ts';
import { carryOutPlan } from '../../engine/clean-node.ts';
import type { OnEvent } from '../../engine/events.ts';
import type { Removal } from '../../engine/removal.ts';
import { formatBytes } from '../../platform/quantity.ts';
import { withMemory, type BoundMemory } from '../bind-history.ts';
import { endpointOf, findSocket, withNodeAt, type BoundNode } from '../bind-runtime.ts';
import { CliError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { makePlan, readRequest, type CleaningRequest, type PlannedNode } from '../make-plan.ts';
import { countOf } from '../output/count-of.ts';
import { confirm } from '../output/confirm.ts';
import { describePlan, describeRun, formatRun, formatSettledRun, formatUnsettledRun } from '../output/describe-run.ts';
import { formatDecisions, formatOutcomes } from '../output/format-decisions.ts';
import { createProgress, type Progress } from '../output/progress.ts';
import { screenOf } from '../output/terminal.ts';
import { writeDocument } from '../output/write-document.ts';
import type { CleanOptions } from '../parsed-options.ts';
import { recordRun, type RecordedRun } from '../record-run.ts';

/** The longest that one removal may take, guards and all; containerd deletes the layers meanwhile. */
const REMOVAL_TIMEOUT_MS = 120_000;
/** More at once gains nothing: containerd serialises most of the work (eight at once take half the time of one by one). */
const REMOVALS_AT_ONCE = 8;

/** `image-cleaner clean`: plans, shows the plan, asks, removes, reports. */
export async function clean(context: CliContext, options: CleanOptions): Promise<ExitCode> {
  const request = await readRequest(context, options);
  if (!options.dryRun && !options.yes && !(context.stdin.isTTY === true && context.stderr.isTTY === true)) {
    throw new CliError({
      code: 'refused',
      message: 'clean removes images, and there is no terminal to ask on.',
      hint: 'Look at the plan with --dry-run, then confirm with --yes.',
    });
  }
  const progress = createProgress(context);
  const socketPath = await findSocket(context, options);
  const cleaning = { context, options, request, progress };
  if (options.dryRun) {
    return withMemory(context, options, { progress, purpose: 'remember' }, (memory) =>
      withNodeAt(context, socketPath, async (node) => {
        const planned = await makePlan(context, { request, node, memory, onEvent: progress.onEvent, say: progress.say });
        return showPlan(cleaning, planned);
      }),
    );
  }
  return withMemory(context, options, { progress, purpose: 'record' }, (memory) => {
    const record = {
      history: memory.history,
      auditLog: options.auditLog,
      runtimeEndpoint: endpointOf(socketPath),
      mode: request.imageList === null ? 'automatic' : 'manual',
      retention: { maxAgeMs: options.historyMaxAge, maxBytes: options.historyMaxSize },
    } as const;
    return recordRun(context, record, (run) => withNodeAt(context, socketPath, (node) => cleanOnRecord(cleaning, { run, node, memory })));
  });
}

interface Cleaning {
  readonly context: CliContext;
  readonly options: CleanOptions;
  readonly request: CleaningRequest;
  readonly progress: Progress;
}

interface Bound {
  readonly run: RecordedRun;
  readonly node: BoundNode;
  readonly memory: BoundMemory;
}

async function cleanOnRecord(cleaning: Cleaning, { run, node, memory }: Bound): Promise<ExitCode> {
  const { context, options, request, progress } = cleaning;
  const { settled, unsettled } = await run.settleKilledRuns(node.runtime, context.signal);
  for (const line of [...settled.map(formatSettledRun), ...unsettled.map(formatUnsettledRun)]) progress.say(line);
  const onEvent: OnEvent = (event) => {
    run.onEvent(event);
    progress.onEvent(event);
  };
  const planned = await makePlan(context, { request, node, memory, onEvent, say: progress.say });
  await run.planned(planned.plan);
  if (removals(planned.plan.decisions).length === 0) return showPlan(cleaning, planned);
  if (!options.yes && !(await isConfirmed(context, planned.plan))) {
    progress.say('Not confirmed: nothing was removed.');
    run.note('not confirmed');
    return context.signal.aborted ? EXIT.interrupted : EXIT.refused;
  }
  return carryOut(cleaning, { planned, run, node });
}

async function showPlan({ context, options, progress }: Cleaning, planned: PlannedNode): Promise<ExitCode> {
  const { decisions, estimatedBytes } = planned.plan;
  await writeDocument(context.stdout, options.output, describePlan(planned, options.dryRun), () =>
    formatDecisions(decisions, screenOf(context, context.stdout)),
  );
  progress.say(
    `${String(removals(decisions).length)} of ${countOf(decisions.length, 'image')} would go, about ${formatBytes(estimatedBytes)}.`,
  );
  return codeAfterScans(planned.plan, progress);
}

async function isConfirmed(context: CliContext, { decisions, estimatedBytes }: RemovalPlan): Promise<boolean> {
  context.stderr.write(formatDecisions(decisions, screenOf(context, context.stderr)));
  return confirm(context, `Remove ${countOf(removals(decisions).length, 'image')} (about ${formatBytes(estimatedBytes)})?`);
}

interface PlannedOnRecord {
  readonly planned: PlannedNode;
  readonly run: RecordedRun;
  readonly node: BoundNode;
}

async function carryOut({ context, options, progress }: Cleaning, { planned, run, node }: PlannedOnRecord): Promise<ExitCode> {
  const { plan } = planned;
  const carriedOut = await carryOutPlan({
    plan,
    runtime: node.runtime,
    listPendingPods: () => Promise.resolve([]),
    journal: run.journal,
    concurrency: options.concurrency ?? REMOVALS_AT_ONCE,
    perImageTimeoutMs: REMOVAL_TIMEOUT_MS,
    onEvent: progress.onEvent,
    signal: context.signal,
  });
  run.carriedOut(plan, carriedOut);
  progress.clear();
  await writeDocument(context.stdout, options.output, describeRun(planned, carriedOut), () =>
    formatOutcomes(plan.decisions, carriedOut.removals, screenOf(context, context.stdout)),
  );
  progress.say(formatRun(plan, carriedOut));
  const afterScans = codeAfterScans(plan, progress);
  return codeAfterRemovals(carriedOut.removals, context.signal) ?? afterScans;
}

function codeAfterScans({ decisions }: RemovalPlan, progress: Progress): ExitCode {
  const failed = failedScans(decisions).length;
  if (failed > 0) progress.say(`The scan of ${countOf(failed, 'image')} failed: without a verdict an image stays.`);
  return failed > 0 ? EXIT.failed : EXIT.done;
}

function codeAfterRemovals(done: readonly Removal[], interrupt: AbortSignal): ExitCode | null {
  if (done.some(({ outcome }) => outcome.kind === 'failed')) return EXIT.failed;
  return done.some(({ outcome }) => outcome.kind === 'not-attempted') ? (interrupt.aborted ? EXIT.interrupted : EXIT.failed) : null;
}
