import type { ImageJob } from '../api/image-job.ts';
import type { NodeView } from './worker-view.ts';

/** What came of a run. */
export interface RunEnd {
  readonly job: string;
  readonly phase: 'Completed' | 'Failed';
  readonly startTime: string | null;
  readonly completionTime: string | null;
  readonly nodes: {
    readonly desired: number;
    readonly succeeded: number;
    readonly failed: number;
    readonly skipped: number;
    readonly skippedByReason: Readonly<Record<string, number | undefined>>;
  };
  /** Over all nodes: an image that was on three nodes counts three times. */
  readonly removedImages: number;
  /** By estimate. */
  readonly reclaimedBytes: number;
  /** What the job says of it: which nodes failed, and why. */
  readonly message: string;
  /** The nodes whose end was seen, by name. */
  readonly endedNodes: readonly NodeView[];
}

export function hasEnded({ status }: ImageJob): boolean {
  return status?.phase === 'Completed' || status?.phase === 'Failed';
}

/** Of a job that has ended. */
export function runEndOf({ metadata: { name }, status = {} }: ImageJob, views: readonly NodeView[]): RunEnd {
  const phase = status.phase === 'Completed' ? 'Completed' : 'Failed';
  const verdict = phase === 'Completed' ? 'Complete' : 'Failed';
  const { desired = 0, succeeded = 0, failed = 0, skipped = 0, skippedByReason = {} } = status;
  return {
    job: name,
    phase,
    startTime: status.startTime ?? null,
    completionTime: status.completionTime ?? null,
    nodes: { desired, succeeded, failed, skipped, skippedByReason },
    removedImages: status.removedImages ?? 0,
    reclaimedBytes: status.reclaimedBytes ?? 0,
    message: status.conditions?.find(({ type }) => type === verdict)?.message ?? '',
    endedNodes: views
      .filter(({ state }) => state === 'succeeded' || state === 'failed')
      .toSorted((a, b) => (a.node < b.node ? -1 : a.node > b.node ? 1 : 0)),
  };
}
