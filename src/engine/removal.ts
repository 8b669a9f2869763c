import type { KeepReason, RemoveDecision } from '../api/decision.ts';

/** What came of a decision to remove an image. */
export type RemovalOutcome =
  /** The runtime no longer has it. */
  | { readonly kind: 'removed' }
  /** It was gone before its turn came. */
  | { readonly kind: 'absent' }
  /** A safety rule keeps it now. */
  | { readonly kind: 'kept'; readonly reason: KeepReason }
  | { readonly kind: 'failed'; readonly message: string }
  /** The run was stopped before its turn came. */
  | { readonly kind: 'not-attempted' };

export interface Removal {
  readonly decision: RemoveDecision;
  readonly outcome: RemovalOutcome;
}
