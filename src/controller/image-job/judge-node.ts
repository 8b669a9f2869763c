import type { NodeProgress } from '../../core/cluster/plan-waves.ts';
import type { RemovedFromNode } from '../../core/cluster/summarise-job.ts';
import { judgePod, type PodVerdict } from './judge-pod.ts';
import { hasOutcome, type EndedRecord, type NodeRecord } from './node-records.ts';
import { isLive, type PodFacts } from './pod-facts.ts';

/**
 * Since when a node has been as it is, on a clock that nobody can set, as far as this process has seen it: a controller that takes over gives the pods
 * it finds their whole time again.
 */
export interface Sighting {
  readonly phase: 'pending' | 'running' | 'failing' | 'leaving' | 'stopping' | 'blocked';
  readonly since: number;
}

export interface NodeInput {
  readonly record: NodeRecord;
  /** The worker pod of this run; null: there is none. */
  readonly pod: PodFacts | null;
  /** The results that its pod has told, and that are in the history; null: it has told none, as far as this process knows. */
  readonly reported: RemovedFromNode | null;
  /** A pod was made for it by this process, whatever is known of that now. */
  readonly isMade: boolean;
  /** What is wrong with the node that its pod is on, or was; null: nothing is known to be. */
  readonly nodeFault: string | null;
  /** Whether a pod of another run may still work there. */
  readonly isOccupied: boolean;
  readonly sighting: Sighting | null;
  /** After which a node that another run does not leave has failed. */
  readonly blockedMs: number;
  readonly now: number;
}

export interface NodeJudgement {
  /** null: as it is on record. */
  readonly record: NodeRecord | null;
  /** `held`: it is not its turn, whoever has one. */
  readonly progress: NodeProgress | { readonly kind: 'held' };
  /** Whether its pod is to be deleted now. */
  readonly isToStop: boolean;
  readonly sighting: Sighting | null;
  /** What its pod waits for. */
  readonly why: string;
}

/** What other containers get after one has failed: the remover may have a removal in hand. */
export const FAILING_GRACE_MS = 60_000;
/** What containers get after the remover has told its results: they send the rest of their logs. */
export const LEAVING_MS = 60_000;
/** A pod that is told to stop has 30 seconds; one that takes longer is on a node that does not answer, and blocks nobody. */
export const STOPPING_MS = 90_000;

const NOTHING_REMOVED = { removedImages: 0, reclaimedBytes: 0 };

export function judgeNode(input: NodeInput): NodeJudgement {
  const { record, pod, isMade, now } = input;
  if (hasOutcome(record)) return judgeEnded(input);
  if (pod === null) {
    // Someone deleted it when its work was done.
    if (input.reported !== null) return ended({ kind: 'succeeded', ...input.reported });
    if (record.kind === 'started' || isMade)
      return ended({ kind: 'failed', message: input.nodeFault ?? 'its worker pod is gone: someone deleted it', ...NOTHING_REMOVED });
    return input.isOccupied ? judgeBlocked(input) : { ...AS_IT_IS, progress: { kind: 'waiting' } };
  }
  const verdict = judgePod(pod);
  if (verdict.kind === 'succeeded' || verdict.kind === 'failed') return ended({ ...recordOf(verdict), ...input.reported });
  // The kubelet says a second later that the containers have ended.
  if (input.reported !== null && !hasFailed(verdict)) return ended({ kind: 'succeeded', ...input.reported });
  const removed = input.reported ?? (verdict.kind === 'running' ? verdict.removed : NOTHING_REMOVED);
  if (input.nodeFault !== null) return stopped({ kind: 'failed', message: input.nodeFault, ...removed }, pod, now);
  const phase = verdict.kind === 'running' && verdict.failed !== null ? 'failing' : verdict.kind;
  const sighting = sightingOf(input, phase);
  if (verdict.kind === 'running' && verdict.failed !== null && now - sighting.since >= FAILING_GRACE_MS) {
    return stopped({ kind: 'failed', message: verdict.failed, ...removed }, pod, now);
  }
  return {
    record: record.kind === 'started' ? null : { kind: 'started' },
    progress: { kind: verdict.kind, since: sighting.since },
    isToStop: false,
    sighting,
    why: verdict.kind === 'pending' ? verdict.why : '',
  };
}

const AS_IT_IS = { record: null, isToStop: false, sighting: null, why: '' } as const;

function sightingOf({ sighting, now }: NodeInput, phase: Sighting['phase']): Sighting {
  return sighting?.phase === phase ? sighting : { phase, since: now };
}

function hasFailed(verdict: PodVerdict): boolean {
  return verdict.kind === 'running' && verdict.failed !== null;
}

/** Its place is free when its pod is, or has done its work. */
function judgeEnded(input: NodeInput): NodeJudgement {
  const { record, pod, now } = input;
  if (pod === null || !isLive(pod)) return { ...AS_IT_IS, progress: { kind: 'ended' } };
  if (record.kind === 'succeeded' && input.sighting?.phase !== 'stopping') {
    const leaving = sightingOf(input, 'leaving');
    if (now - leaving.since < LEAVING_MS) return { ...AS_IT_IS, progress: { kind: 'ended' }, sighting: leaving };
  }
  const sighting = sightingOf(input, 'stopping');
  const isGivenUp = now - sighting.since >= STOPPING_MS;
  return {
    ...AS_IT_IS,
    progress: isGivenUp ? { kind: 'ended' } : { kind: 'running', since: now },
    isToStop: !pod.isBeingDeleted,
    sighting,
  };
}

function judgeBlocked(input: NodeInput): NodeJudgement {
  const sighting = sightingOf(input, 'blocked');
  if (input.now - sighting.since < input.blockedMs) return { ...AS_IT_IS, progress: { kind: 'held' }, sighting };
  return ended({ kind: 'failed', message: 'the worker pod of another run did not leave the node', ...NOTHING_REMOVED });
}

function ended(record: EndedRecord): NodeJudgement {
  return { ...AS_IT_IS, record, progress: { kind: 'ended' } };
}

function stopped(record: EndedRecord, pod: PodFacts, now: number): NodeJudgement {
  return {
    ...AS_IT_IS,
    record,
    progress: { kind: 'running', since: now },
    isToStop: !pod.isBeingDeleted,
    sighting: { phase: 'stopping', since: now },
  };
}

function recordOf(verdict: Extract<PodVerdict, { kind: 'succeeded' | 'failed' }>): EndedRecord {
  return verdict.kind === 'succeeded'
    ? { kind: 'succeeded', ...verdict.removed }
    : { kind: 'failed', message: verdict.message, ...verdict.removed };
}
