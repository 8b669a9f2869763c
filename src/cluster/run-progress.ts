import { isDeepStrictEqual } from 'node:util';
import type { ImageJob } from '../api/image-job.ts';
import type { FollowEvent, RunProgress } from './follow-event.ts';
import type { NodeView } from './worker-view.ts';

/** The counts of a job's status may be a minute behind: what its pods say may be newer. */
export function progressOf({ status = {} }: ImageJob, views: readonly NodeView[]): RunProgress {
  const inState = (state: NodeView['state']): string[] => views.filter((view) => view.state === state).map(({ node }) => node);
  const { desired = 0, succeeded = 0, failed = 0, skipped = 0, phase } = status;
  const hasEnded = phase === 'Completed' || phase === 'Failed';
  return {
    desired,
    succeeded: hasEnded ? succeeded : Math.max(succeeded, inState('succeeded').length),
    failed: hasEnded ? failed : Math.max(failed, inState('failed').length),
    skipped,
    running: inState('running').toSorted(),
  };
}

/** Tells of a run what has changed since it was told of last. */
export class ProgressTeller {
  readonly #onEvent: (event: FollowEvent) => void;
  readonly #ended = new Set<string>();
  #hasBegun = false;
  #waitsFor: string | null = null;
  #told: RunProgress | null = null;

  constructor(onEvent: (event: FollowEvent) => void) {
    this.#onEvent = onEvent;
  }

  tell(job: ImageJob, views: readonly NodeView[]): void {
    if (job.status?.phase === undefined) {
      this.#tellStalled(job);
      return;
    }
    if (!this.#hasBegun) this.#onEvent({ kind: 'begun', job });
    this.#hasBegun = true;
    for (const node of views) {
      if ((node.state !== 'succeeded' && node.state !== 'failed') || this.#ended.has(node.node)) continue;
      this.#ended.add(node.node);
      this.#onEvent({ kind: 'node-ended', node });
    }
    const progress = progressOf(job, views);
    if (isDeepStrictEqual(progress, this.#told)) return;
    this.#told = progress;
    this.#onEvent({ kind: 'progress', progress });
  }

  #tellStalled({ status }: ImageJob): void {
    const why = status?.conditions?.find(({ type, status: is }) => type === 'Stalled' && is === 'True')?.message ?? null;
    if (why === null || why === this.#waitsFor) return;
    this.#waitsFor = why;
    this.#onEvent({ kind: 'waiting', why });
  }
}
