import { formatReason } from '../../core/format-reason.ts';
import type { RemovalOutcome } from '../../engine/removal.ts';
import { FIGURES } from './describe-decision.ts';

export const OUTCOME_WORDS: Readonly<Record<RemovalOutcome['kind'], string>> = {
  removed: 'removed',
  absent: 'already gone',
  kept: 'kept after all',
  failed: 'failed',
  'not-attempted': 'not attempted',
};

/** What came of a decision to remove an image, with why. */
export function formatOutcome(outcome: RemovalOutcome): string {
  const word = OUTCOME_WORDS[outcome.kind];
  if (outcome.kind === 'kept') return `${word}: ${formatReason({ reason: outcome.reason }, FIGURES)}`;
  return outcome.kind === 'failed' ? `${word}: ${outcome.message}` : word;
}
