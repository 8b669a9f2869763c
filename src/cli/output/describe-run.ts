import type { RunRecord } from '../../api/run-record.ts';
import type { RemovalPlan } from '../../core/plan-removal.ts';
import type { CarriedOutPlan } from '../../engine/clean-node.ts';
import { summariseRemovals } from '../../engine/summarise-run.ts';
import { formatBytes } from '../../platform/quantity.ts';
import type { PlannedNode } from '../make-plan.ts';
import type { UnsettledRun } from '../record-run.ts';
import { describeDecision } from './describe-decision.ts';
import { countOf } from './count-of.ts';
import { OUTCOME_WORDS } from './format-outcome.ts';
import type { OutputDocument } from './output-document.ts';

/** What `clean -o json` prints of a plan that is not carried out. Fields are added, never renamed. */
export function describePlan({ plan, warnings }: PlannedNode, dryRun: boolean): OutputDocument {
  const { images, keep, remove, estimatedBytes } = summariseRemovals(plan, []);
  return {
    dryRun,
    summary: { images, keep, remove, estimatedBytes },
    warnings,
    decisions: plan.decisions.map(describeDecision),
  };
}

/** The same, with what came of it. */
export function describeRun({ plan, warnings }: PlannedNode, { removals, filesystem }: CarriedOutPlan): OutputDocument {
  return {
    dryRun: false,
    summary: summariseRemovals(plan, removals),
    warnings,
    decisions: plan.decisions.map(describeDecision),
    removals: removals.map(({ decision, outcome, reclaimedBytes: bytes }) => ({
      imageId: decision.image.id,
      outcome: outcome.kind,
      ...(outcome.kind === 'failed' ? { message: outcome.message } : {}),
      ...(outcome.kind === 'kept' ? { reason: outcome.reason } : {}),
      reclaimedBytes: bytes,
    })),
    filesystem: filesystem === null ? null : { ...filesystem, freedBytes: filesystem.before.usedBytes - filesystem.after.usedBytes },
  };
}

/** One line on what a run came to. */
export function formatRun(plan: RemovalPlan, { removals, filesystem }: CarriedOutPlan): string {
  const summary = summariseRemovals(plan, removals);
  const others = OUTCOMES.filter((kind) => kind !== 'removed' && summary[FIELDS[kind]] > 0);
  const rest = others.map((kind) => `, ${String(summary[FIELDS[kind]])} ${OUTCOME_WORDS[kind]}`).join('');
  const freed = filesystem === null ? 0 : filesystem.before.usedBytes - filesystem.after.usedBytes;
  const measured = filesystem === null ? '' : `; the filesystem has ${formatBytes(Math.max(freed, 0))} more free`;
  const removed = `Removed ${String(summary.removed)} of ${countOf(summary.images, 'image')}${rest}`;
  return `${removed}: about ${formatBytes(summary.reclaimedBytes)} freed${measured}.`;
}

/** One line on a run that was killed, once it is known what it had done. */
export function formatSettledRun({ id, startedAt, summary }: RunRecord): string {
  const removed = countOf(summary?.removed ?? 0, 'image');
  return `Run ${String(id)} of ${new Date(startedAt).toISOString()} was killed; by what the runtime has now it had removed ${removed}.`;
}

/** The same where there is no space to put that on record. */
export function formatUnsettledRun({ run: { id, startedAt }, openRemovals, because }: UnsettledRun): string {
  const what = `Run ${String(id)} of ${new Date(startedAt).toISOString()} was killed; what became of the ${countOf(openRemovals, 'removal')} it had not ended`;
  return `Warning: ${what} is not on record: ${because.message}. Make room there: the next run finds it out.`;
}

const OUTCOMES = ['removed', 'absent', 'kept', 'failed', 'not-attempted'] as const;
const FIELDS = { removed: 'removed', absent: 'absent', kept: 'keptAfterAll', failed: 'failed', 'not-attempted': 'notAttempted' } as const;
