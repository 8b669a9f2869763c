import type { RunSummary } from '../api/run-record.ts';
import { removals as removalsOf, type RemovalPlan } from '../core/plan-removal.ts';
import type { CarriedOutRemoval } from './clean-node.ts';
import type { RemovalOutcome } from './removal.ts';

/** What a run came to, in numbers. `removals`: none of a plan that was not carried out. */
export function summariseRemovals(
  { decisions, estimatedBytes }: RemovalPlan,
  removals: readonly CarriedOutRemoval[],
): Omit<RunSummary, 'scanned' | 'verdictsReused'> {
  const count = (kind: RemovalOutcome['kind']): number => removals.filter(({ outcome }) => outcome.kind === kind).length;
  const remove = removalsOf(decisions).length;
  return {
    images: decisions.length,
    keep: decisions.length - remove,
    remove,
    removed: count('removed'),
    absent: count('absent'),
    keptAfterAll: count('kept'),
    failed: count('failed'),
    notAttempted: count('not-attempted'),
    estimatedBytes,
    reclaimedBytes: removals.reduce((sum, { reclaimedBytes }) => sum + reclaimedBytes, 0),
  };
}
