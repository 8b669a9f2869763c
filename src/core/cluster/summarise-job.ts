import type { NodeSkipReason } from '../../api/cluster-node.ts';
import type { EraserConfig } from '../../api/eraser-config.ts';
import type { ImageJobStatus } from '../../api/image-job.ts';

/** What came of a node in a run. */
export type NodeOutcome =
  | { readonly kind: 'unfinished' }
  | ({ readonly kind: 'succeeded' } & RemovedFromNode)
  /** What was removed before it failed counts. */
  | ({ readonly kind: 'failed'; readonly message: string } & RemovedFromNode)
  | { readonly kind: 'skipped'; readonly reason: NodeSkipReason };

export interface RemovedFromNode {
  readonly removedImages: number;
  /** By estimate. */
  readonly reclaimedBytes: number;
}

/** Of the configuration that the run has. */
export type JobSettings = Pick<EraserConfig['manager']['imageJob'], 'successRatio' | 'cleanup'>;

export interface JobSummaryInput {
  /** One for each node of the cluster. */
  readonly outcomes: readonly NodeOutcome[];
  readonly settings: JobSettings;
  /** More nodes have failed than may: whatever the ratio, it is no success. */
  readonly isStopped?: boolean;
  /** What the status says already: a job begins once, and ends once. */
  readonly previous: Pick<ImageJobStatus, 'startTime' | 'completionTime'>;
  readonly now: number;
}

export interface JobSummary {
  /** All but the conditions. */
  readonly status: Omit<ImageJobStatus, 'conditions' | 'observedGeneration'>;
  /** Nodes that succeeded or were skipped for what they are, of all: from 0 to 1, exactly. Of no node: 1. */
  readonly successRatio: number;
}

/**
 * The status of an ImageJob. Counts as Eraser does (`controllers/imagejob`, handleNewJob and handleRunningJob): `desired` is every node, and a
 * skipped one is no failure. Unlike there, the ratio is no whole number: 272 of 273 nodes are 99.6 %.
 */
export function summariseJob({ outcomes, settings, isStopped = false, previous, now }: JobSummaryInput): JobSummary {
  const count = (kind: NodeOutcome['kind']): number => outcomes.filter((outcome) => outcome.kind === kind).length;
  const counts = { desired: outcomes.length, succeeded: count('succeeded'), failed: count('failed'), skipped: count('skipped') };
  const reasons = skippedByReason(outcomes);
  // A division is rounded as the literal in the configuration was: 7 of 100 is exactly what 0.07 is.
  const successRatio = counts.desired === 0 ? 1 : (counts.succeeded + counts.skipped - (reasons.notStarted ?? 0)) / counts.desired;
  const isSuccess = successRatio >= settings.successRatio && !isStopped;
  const progress = {
    ...counts,
    skippedByReason: reasons,
    ...totalsOf(outcomes),
    startTime: previous.startTime ?? formatTime(now),
  };
  if (count('unfinished') > 0) return { status: { phase: 'Running', ...progress }, successRatio };
  const completionTime = previous.completionTime ?? formatTime(now);
  const { delayOnSuccess, delayOnFailure } = settings.cleanup;
  const deleteAfter = formatTime(Date.parse(completionTime) + (isSuccess ? delayOnSuccess : delayOnFailure));
  return { status: { phase: isSuccess ? 'Completed' : 'Failed', ...progress, completionTime, deleteAfter }, successRatio };
}

const REASON_FIELDS = {
  'not-ready': 'notReady',
  filtered: 'filtered',
  windows: 'windows',
  virtual: 'virtual',
  'unknown-runtime': 'unknownRuntime',
  'being-deleted': 'beingDeleted',
  'not-started': 'notStarted',
} as const satisfies Record<NodeSkipReason['code'], string>;

function skippedByReason(outcomes: readonly NodeOutcome[]): NonNullable<ImageJobStatus['skippedByReason']> {
  const counts: NonNullable<ImageJobStatus['skippedByReason']> = {};
  for (const outcome of outcomes) {
    if (outcome.kind !== 'skipped') continue;
    const field = REASON_FIELDS[outcome.reason.code];
    counts[field] = (counts[field] ?? 0) + 1;
  }
  return counts;
}

function totalsOf(outcomes: readonly NodeOutcome[]): RemovedFromNode {
  let removedImages = 0;
  let reclaimedBytes = 0;
  for (const outcome of outcomes) {
    if (outcome.kind !== 'succeeded' && outcome.kind !== 'failed') continue;
    removedImages += outcome.removedImages;
    reclaimedBytes += outcome.reclaimedBytes;
  }
  return { removedImages, reclaimedBytes };
}

/** To the second, as Kubernetes keeps times. */
function formatTime(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}
