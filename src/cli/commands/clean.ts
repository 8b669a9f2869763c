import type { Decision } from '../../api/decision.ts';
import { failedScans } from '../../core/failed-scans.ts';
import { removals, type RemovalPlan } from '../../core/plan-removal.ts';
import { carryOutPlan, type CarriedOutPlan } from '../../engine/clean-node.ts';
import type { Removal } from '../../engine/removal.ts';
import { formatBytes } from '../../platform/quantity.ts';
import { CliError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { withNode } from '../bind-runtime.ts';
import { makePlan, type PlannedNode } from '../make-plan.ts';
import { confirm } from '../output/confirm.ts';
import { describeDecision } from '../output/describe-decision.ts';
import { formatDecisions } from '../output/format-decisions.ts';
import { createProgress, type Progress } from '../output/progress.ts';
import { usesColor } from '../output/terminal.ts';
import { writeDocument } from '../output/write-document.ts';
import type { CleanOptions } from '../parsed-options.ts';

/** A removal by default takes this long at most; containerd deletes the layers meanwhile. */
const REMOVAL_TIMEOUT_MS = 120_000;
/** More at once gains nothing: containerd serialises most of the work (eight at once take half the time of one by one). */
const REMOVALS_AT_ONCE = 8;

/** `image-cleaner clean`: plans, shows the plan, asks, removes, reports. */
export async function clean(context: CliContext, options: CleanOptions): Promise<ExitCode> {
  const interactive = context.stdin.isTTY === true && context.stderr.isTTY === true;
  if (!options.dryRun && !options.yes && !interactive) {
    throw new CliError({
      code: 'refused',
      message: 'clean removes images, and there is no terminal to ask on.',
      hint: 'Look at the plan with --dry-run, then confirm with --yes.',
    });
  }
  const progress = createProgress(context.stderr);
  return withNode(context, options, async (node) => {
    const planned = await makePlan(context, { ...options, node, progress });
    const { plan } = planned;
    const failed = failedScans(plan.decisions).length;
    const done = failed > 0 ? EXIT.failed : EXIT.done;
    if (options.dryRun || removals(plan.decisions).length === 0) {
      writePlan(context, options, planned);
      sayFailedScans(progress, failed);
      return done;
    }
    if (!(await isConfirmed(context, options, planned))) {
      progress.say('Not confirmed: nothing was removed.');
      return context.signal.aborted ? EXIT.interrupted : EXIT.refused;
    }
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
    writeResult(context, options, { planned, carriedOut });
    sayResult(progress, plan, carriedOut);
    sayFailedScans(progress, failed);
    return exitCodeOf(carriedOut.removals, done);
  });
}

function sayFailedScans(progress: Progress, failed: number): void {
  if (failed > 0) progress.say(`The scan of ${String(failed)} images failed: they have no verdict and stay.`);
}

async function isConfirmed(context: CliContext, options: CleanOptions, { plan }: PlannedNode): Promise<boolean> {
  if (options.yes) return true;
  context.stderr.write(formatDecisions(plan.decisions, usesColor(context, context.stderr)));
  const count = removals(plan.decisions).length;
  return confirm(context, `Remove ${String(count)} images (about ${formatBytes(plan.estimatedBytes)})?`);
}

function writePlan(context: CliContext, options: CleanOptions, { plan, warnings }: PlannedNode): void {
  const document = { dryRun: options.dryRun, ...describePlan(plan.decisions, plan.estimatedBytes, warnings) };
  writeDocument(
    context.stdout,
    options.output,
    document,
    () => formatDecisions(plan.decisions, usesColor(context, context.stdout)) + planTotal(plan),
  );
}

interface Result {
  readonly planned: PlannedNode;
  readonly carriedOut: CarriedOutPlan;
}

function writeResult(context: CliContext, options: CleanOptions, { planned: { plan, warnings }, carriedOut }: Result): void {
  const document = {
    dryRun: false,
    ...describePlan(plan.decisions, plan.estimatedBytes, warnings),
    removals: carriedOut.removals.map(({ decision, outcome }) => ({
      imageId: decision.image.id,
      outcome: outcome.kind,
      ...detailOf(outcome),
    })),
    filesystem: carriedOut.filesystem === null ? null : { ...carriedOut.filesystem, freedBytes: freedBytes(carriedOut) },
  };
  writeDocument(context.stdout, options.output, document, () => formatDecisions(plan.decisions, usesColor(context, context.stdout)));
}

function detailOf(outcome: Removal['outcome']): object {
  if (outcome.kind === 'failed') return { message: outcome.message };
  return outcome.kind === 'kept' ? { reason: outcome.reason } : {};
}

function describePlan(decisions: readonly Decision[], estimatedBytes: number, warnings: readonly string[]): object {
  const remove = removals(decisions).length;
  return {
    decisions: decisions.map(describeDecision),
    summary: { images: decisions.length, keep: decisions.length - remove, remove, estimatedBytes },
    warnings,
  };
}

function planTotal({ decisions, estimatedBytes }: RemovalPlan): string {
  const remove = removals(decisions).length;
  return `\n${String(remove)} of ${String(decisions.length)} images would go, about ${formatBytes(estimatedBytes)}.\n`;
}

function sayResult(progress: Progress, plan: RemovalPlan, carriedOut: CarriedOutPlan): void {
  const count = (kind: Removal['outcome']['kind']): number => carriedOut.removals.filter(({ outcome }) => outcome.kind === kind).length;
  const rest = (['absent', 'kept', 'failed', 'not-attempted'] as const).filter((kind) => count(kind) > 0);
  const others = rest.map((kind) => `, ${String(count(kind))} ${OUTCOME_WORDS[kind]}`).join('');
  const estimate = carriedOut.removals
    .filter(({ outcome }) => outcome.kind === 'removed')
    .reduce((sum, { decision }) => sum + decision.estimatedBytes, 0);
  const freed = freedBytes(carriedOut);
  const measured = freed === null ? '' : `; the filesystem has ${formatBytes(Math.max(freed, 0))} more free`;
  progress.say(
    `Removed ${String(count('removed'))} of ${String(plan.decisions.length)} images${others}: about ${formatBytes(estimate)} freed${measured}.`,
  );
}

const OUTCOME_WORDS = { absent: 'already gone', kept: 'kept after all', failed: 'failed', 'not-attempted': 'not attempted' } as const;

function freedBytes({ filesystem }: CarriedOutPlan): number | null {
  return filesystem === null ? null : filesystem.before.usedBytes - filesystem.after.usedBytes;
}

function exitCodeOf(results: readonly Removal[], otherwise: ExitCode): ExitCode {
  if (results.some(({ outcome }) => outcome.kind === 'failed')) return EXIT.failed;
  return results.some(({ outcome }) => outcome.kind === 'not-attempted') ? EXIT.interrupted : otherwise;
}
