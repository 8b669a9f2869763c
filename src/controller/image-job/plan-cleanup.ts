import type { ImageJob } from '../../api/image-job.ts';
import { hasEnded } from './image-job-object.ts';

export interface CleanupInput {
  readonly job: ImageJob;
  /** All there are. */
  readonly jobs: readonly ImageJob[];
  /** Whether the end of its run has yet to be put on record. */
  readonly isAwaited: boolean;
  /** How many jobs that have ended are kept at most. */
  readonly historyLimit: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export type Cleanup =
  { readonly kind: 'delete' } | { readonly kind: 'keep'; /** null: something else will ask. */ readonly lookAgainAfterMs: number | null };

/** When a job that has ended is deleted: after its time, or when there are too many after it. */
export function planCleanup({ job, jobs, isAwaited, historyLimit, now }: CleanupInput): Cleanup {
  if (isAwaited) return { kind: 'keep', lookAgainAfterMs: null };
  const { deleteAfter } = job.status ?? {};
  const leftMs = deleteAfter === undefined ? Infinity : Date.parse(deleteAfter) - now;
  if (leftMs <= 0 || newerThan(job, jobs) >= historyLimit) return { kind: 'delete' };
  return { kind: 'keep', lookAgainAfterMs: Number.isFinite(leftMs) ? leftMs : null };
}

function newerThan(job: ImageJob, jobs: readonly ImageJob[]): number {
  return jobs.filter((other) => hasEnded(other) && isNewer(other, job)).length;
}

/** Times are whole seconds: of jobs that ended in the same one, the name tells, which ends in the number or the time of a run. */
function isNewer(one: ImageJob, other: ImageJob): boolean {
  const apart = endedAt(one) - endedAt(other);
  return apart === 0 ? NAMES.compare(one.metadata.name, other.metadata.name) > 0 : apart > 0;
}

const NAMES = new Intl.Collator('en', { numeric: true });

/** Jobs of Eraser have no completion time. */
function endedAt({ metadata, status }: ImageJob): number {
  return Date.parse(status?.completionTime ?? metadata.creationTimestamp);
}
