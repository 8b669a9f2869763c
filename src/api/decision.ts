import type { ContainerState, NodeImage } from './inventory.ts';
import type { Finding, UnscannedReason } from './scan-report.ts';

/** Who uses an image. `unresolved-container`: its image could not be found, so all of the repository it names stays. */
export type ImageUser =
  | {
      readonly kind: 'container' | 'volume' | 'unresolved-container';
      readonly containerId: string;
      readonly container: string;
      readonly pod: string;
      readonly state: ContainerState;
    }
  | { readonly kind: 'pending-pod'; readonly pod: string };

/** A Kubernetes object that refers to an image without a container for it on this node. */
export interface ProtectingObject {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

export type KeepReason =
  | { readonly code: 'in-use'; readonly users: readonly ImageUser[] }
  | { readonly code: 'pinned'; readonly by: 'runtime' | 'sandbox-image' | 'maybe-sandbox-image' }
  | { readonly code: 'excluded'; readonly list: string; readonly entry: string }
  | { readonly code: 'not-listed' }
  | { readonly code: 'protected'; readonly objects: readonly ProtectingObject[] }
  | { readonly code: 'too-young'; readonly ageMs: number | null; readonly minAgeMs: number }
  | { readonly code: 'unscanned'; readonly why: UnscannedReason; readonly message: string }
  /** `ignoredFindings`: how many the policy leaves out; null: not scanned, since no rule asked for it. */
  | { readonly code: 'compliant'; readonly ignoredFindings: number | null };

export type RemoveReason =
  | { readonly code: 'listed'; readonly entry: string }
  | { readonly code: 'expired'; readonly unusedMs: number; readonly maxAgeMs: number }
  | { readonly code: 'disk-pressure'; readonly usedBytes: number; readonly highBytes: number; readonly lowBytes: number }
  | { readonly code: 'vulnerable'; readonly findings: readonly Finding[] }
  | { readonly code: 'end-of-life'; readonly os: string }
  | { readonly code: 'unscannable'; readonly error: string }
  /** By a scanner of the user's own, which tells no more. */
  | { readonly code: 'rejected' }
  | { readonly code: 'unused' };

export interface KeepDecision {
  readonly outcome: 'keep';
  readonly image: NodeImage;
  readonly reason: KeepReason;
}

export interface RemoveDecision {
  readonly outcome: 'remove';
  readonly image: NodeImage;
  readonly reason: RemoveReason;
  /**
   * Bytes that the removal is estimated to free. What the image shares with one that stays does not count, and what it shares with other
   * images that go counts once, for the last of them in order of id: the sum over a plan is the plan's own estimate.
   */
  readonly estimatedBytes: number;
}

/** One per image on the node. */
export type Decision = KeepDecision | RemoveDecision;
