import { failedScans } from '../../core/failed-scans.ts';
import { removals, type RemovalPlan } from '../../core/plan-removal.ts';
import { carryOutPlan } from '../../engine/clean-node.ts';
import type { Removal } from '../../engine/removal.ts';
import { formatBytes } from '../../platform/quantity.ts';
import { withNode, type BoundNode } from '../bind-runtime.ts';
import { CliError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { makePlan, readRequest, type PlannedNode } from '../make-plan.ts';
import { countOf } from '../output/count-of.ts';
import { confirm } from '../output/confirm.ts';
import { describePlan, describeRun, formatRun } from '../output/describe-run.ts';
import { formatDecisions, formatOutcomes } from '../output/format-decisions.ts';
import { createProgress, type Progress } from '../output/progress.ts';
import { usesColor } from '../output/terminal.ts';
import { writeDocument } from '../output/write-document.ts';
import type { CleanOptions } from '../parsed-options.ts';

/** The longest that one removal may take, guards and all; containerd deletes the layers meanwhile. */
const REMOVAL_TIMEOUT_MS = 120_000;
/** More at once gains nothing: containerd serialises most of the work (eight at once take half the time of one by one). */
const REMOVALS_AT_ONCE = 8;

/** `image-cleaner clean`: plans, shows the plan, asks, removes, reports. */
export async function clean(context: CliContext, options: CleanOptions): Promise<ExitCode> {
  const request = await readRequest(options);
  const interactive = context.stdin.isTTY === true && context.stderr.isTTY === true;
  if (!options.dryRun && !options.yes && !interactive) {
    throw new CliError({
      code: 'refused',
      message: 'clean removes images, and there is no terminal to ask on.',
      hint: 'Look at the plan with --dry-run, then confirm with --yes.',
    });
  }
  const progress = createProgress(context);
  return withNode(context, options, async (node) => {
    const planned = await makePlan(context, { request, node, progress });
    if (options.dryRun || removals(planned.plan.decisions).length === 0) return showPlan(context, options, { planned, progress });
    if (options.yes || (await isConfirmed(context, planned.plan))) return await carryOut(context, options, { planned, progress, node });
    progress.say('Not confirmed: nothing was removed.');
    return context.signal.aborted ? EXIT.interrupted : EXIT.refused;
  });
}

interface Planned {
  readonly planned: PlannedNode;
  readonly progress: Progress;
}

function showPlan(context: CliContext, options: CleanOptions, { planned, progress }: Planned): ExitCode {
  const { decisions, estimatedBytes } = planned.plan;
  writeDocument(context.stdout, options.output, describePlan(planned, options.dryRun), () =>
    formatDecisions(decisions, usesColor(context, context.stdout)),
  );
  progress.say(
    `${String(removals(decisions).length)} of ${countOf(decisions.length, 'image')} would go, about ${formatBytes(estimatedBytes)}.`,
  );
  return codeAfterScans(planned.plan, progress);
}

async function isConfirmed(context: CliContext, { decisions, estimatedBytes }: RemovalPlan): Promise<boolean> {
  context.stderr.write(formatDecisions(decisions, usesColor(context, context.stderr)));
  return confirm(context, `Remove ${countOf(removals(decisions).length, 'image')} (about ${formatBytes(estimatedBytes)})?`);
}

async function carryOut(
  context: CliContext,
  options: CleanOptions,
  { planned, progress, node }: Planned & { readonly node: BoundNode },
): Promise<ExitCode> {
  const { plan } = planned;
  const carriedOut = await carryOutPlan({
    plan,
    runtime: node.runtime,
    listPendingPods: () => Promise.resolve([]),
    concurrency: options.concurrency ?? REMOVALS_AT_ONCE,
    perImageTimeoutMs: REMOVAL_TIMEOUT_MS,
    onEvent: progress.onEvent,
    signal: context.signal,
  });
  progress.clear();
  writeDocument(context.stdout, options.output, describeRun(planned, carriedOut), () =>
    formatOutcomes(plan.decisions, carriedOut.removals, usesColor(context, context.stdout)),
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
