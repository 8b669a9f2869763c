import type { Decision } from '../api/decision.ts';
import type { DecisionRecord, RemovalRecord, RunEnd } from '../api/run-record.ts';
import type { CarriedOutRemoval } from '../engine/clean-node.ts';
import { summariseRemovals } from '../engine/summarise-run.ts';
import type { NodeResult } from './ports.ts';
import type { RemoverOutcome } from './run-remover.ts';

export interface RunFrame {
  readonly mode: 'automatic' | 'manual';
  readonly startedAt: number;
  readonly endedAt: number;
}

/** The result of a run whose plan was carried out, in whole or in part. */
export function makeNodeResult(frame: RunFrame, { plan, done, use }: RemoverOutcome): NodeResult {
  const failed = done.removals.filter(({ outcome }) => outcome.kind === 'failed');
  const notAttempted = done.removals.some(({ outcome }) => outcome.kind === 'not-attempted');
  const removalsById = new Map(done.removals.map((removal) => [removal.decision.image.id, removal]));
  return {
    ...frame,
    state: failed.length > 0 ? 'failed' : notAttempted ? 'interrupted' : 'completed',
    message:
      failed.length > 0
        ? `${failed.length} of ${done.removals.length} removals failed`
        : notAttempted
          ? 'not all removals were begun'
          : null,
    runtime: plan.facts.input.inventory.runtime,
    scanner: use.scanner,
    summary: { ...summariseRemovals(plan, done.removals), scanned: use.scanned, verdictsReused: use.verdictsReused },
    filesystem: done.filesystem,
    decisions: plan.decisions.map((decision) => describeDecision(decision, removalsById.get(decision.image.id), frame.endedAt)),
  };
}

/** The result of a run that came to no plan: nothing was removed. */
export function makeFailedResult(frame: RunFrame, state: RunEnd['state'], message: string): NodeResult {
  return { ...frame, state, message, runtime: null, scanner: null, summary: null, filesystem: null, decisions: [] };
}

function describeDecision(decision: Decision, removal: CarriedOutRemoval | undefined, at: number): Omit<DecisionRecord, 'runId'> {
  const { image } = decision;
  return {
    imageId: image.id,
    repoTags: image.repoTags,
    repoDigests: image.repoDigests,
    sizeBytes: image.sizeBytes,
    estimatedBytes: decision.outcome === 'remove' ? decision.estimatedBytes : 0,
    ruling: decision.outcome === 'remove' ? { outcome: 'remove', reason: decision.reason } : { outcome: 'keep', reason: decision.reason },
    removal: removal === undefined ? null : describeRemoval(removal, at),
  };
}

function describeRemoval({ outcome, reclaimedBytes }: CarriedOutRemoval, at: number): RemovalRecord {
  return {
    state: outcome.kind,
    at,
    message: outcome.kind === 'failed' ? outcome.message : null,
    keptBy: outcome.kind === 'kept' ? outcome.reason : null,
    reclaimedBytes,
  };
}
