import type { ImageJob } from '../api/image-job.ts';
import type { NodeView } from './worker-view.ts';

/** What is told of a run that is followed. */
export type FollowEvent =
  /** Why it does not begin yet. Told once for each reason. */
  | { readonly kind: 'waiting'; readonly why: string }
  | { readonly kind: 'begun'; readonly job: ImageJob }
  /** Told when anything in it has changed. */
  | { readonly kind: 'progress'; readonly progress: RunProgress }
  | { readonly kind: 'node-ended'; readonly node: NodeView };

export interface RunProgress {
  readonly desired: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly skipped: number;
  /** The nodes whose worker pods run, in order of their names. */
  readonly running: readonly string[];
}
