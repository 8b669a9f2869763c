import { removals as removalsOf, type RemovalPlan } from '../../core/plan-removal.ts';
import type { CarriedOutPlan, CarriedOutRemoval } from '../../engine/clean-node.ts';
import type { RemovalOutcome } from '../../engine/removal.ts';
import { formatBytes } from '../../platform/quantity.ts';
import type { PlannedNode } from '../make-plan.ts';
import { describeDecision } from './describe-decision.ts';
import { countOf } from './count-of.ts';
import { OUTCOME_WORDS } from './format-outcome.ts';
import type { OutputDocument } from './write-document.ts';

/** What `clean -o json` prints of a plan that is not carried out. Fields are added, never renamed. */
export function describePlan({ plan, warnings }: PlannedNode, dryRun: boolean): OutputDocument {
  return {
    dryRun,
    summary: summarise(plan),
    warnings,
    decisions: plan.decisions.map(describeDecision),
  };
}

/** The same, with what came of it. */
export function describeRun({ plan, warnings }: PlannedNode, { removals, filesystem }: CarriedOutPlan): OutputDocument {
  return {
    dryRun: false,
    summary: {
      ...summarise(plan),
      ...Object.fromEntries(OUTCOMES.map((kind) => [FIELDS[kind], count(removals, kind)])),
      reclaimedBytes: reclaimedBytes(removals),
    },
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
export function formatRun({ decisions }: RemovalPlan, { removals, filesystem }: CarriedOutPlan): string {
  const others = OUTCOMES.filter((kind) => kind !== 'removed' && count(removals, kind) > 0);
  const rest = others.map((kind) => `, ${String(count(removals, kind))} ${OUTCOME_WORDS[kind]}`).join('');
  const freed = filesystem === null ? 0 : filesystem.before.usedBytes - filesystem.after.usedBytes;
  const measured = filesystem === null ? '' : `; the filesystem has ${formatBytes(Math.max(freed, 0))} more free`;
  const removed = `Removed ${String(count(removals, 'removed'))} of ${countOf(decisions.length, 'image')}${rest}`;
  return `${removed}: about ${formatBytes(reclaimedBytes(removals))} freed${measured}.`;
}

const OUTCOMES: readonly RemovalOutcome['kind'][] = ['removed', 'absent', 'kept', 'failed', 'not-attempted'];
const FIELDS = { removed: 'removed', absent: 'absent', kept: 'keptAfterAll', failed: 'failed', 'not-attempted': 'notAttempted' } as const;

function count(removals: readonly CarriedOutRemoval[], kind: RemovalOutcome['kind']): number {
  return removals.filter(({ outcome }) => outcome.kind === kind).length;
}

function reclaimedBytes(removals: readonly CarriedOutRemoval[]): number {
  return removals.reduce((sum, removal) => sum + removal.reclaimedBytes, 0);
}

function summarise({ decisions, estimatedBytes }: RemovalPlan): Readonly<Record<string, number>> {
  const remove = removalsOf(decisions).length;
  return { images: decisions.length, keep: decisions.length - remove, remove, estimatedBytes };
}
