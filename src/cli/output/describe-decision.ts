import type { Decision } from '../../api/decision.ts';
import { formatReason, vulnerabilityIds, type FigureFormats } from '../../core/format-reason.ts';
import { formatDuration } from '../../platform/duration.ts';
import { formatBytes } from '../../platform/quantity.ts';

export const FIGURES: FigureFormats = { bytes: formatBytes, duration: formatDuration };

/** A decision as `-o json` and `-o yaml` print it. Fields are added, never renamed. */
export interface DecisionRecord {
  readonly imageId: string;
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
  /** Bytes as the runtime reports them. */
  readonly sizeBytes: number;
  readonly outcome: 'keep' | 'remove';
  /** The reason's code with its facts. */
  readonly reason: Decision['reason'];
  /** The reason as a sentence. */
  readonly message: string;
  /** Vulnerabilities that make the image go, most severe first; empty for any other reason. */
  readonly cves: readonly string[];
  /** Bytes that the removal is estimated to free; 0 for an image that stays. */
  readonly estimatedBytes: number;
}

export function describeDecision(decision: Decision): DecisionRecord {
  const { image, outcome, reason } = decision;
  return {
    imageId: image.id,
    repoTags: image.repoTags,
    repoDigests: image.repoDigests,
    sizeBytes: image.sizeBytes,
    outcome,
    reason,
    message: formatReason(decision, FIGURES),
    cves: vulnerabilityIds(reason),
    estimatedBytes: decision.outcome === 'remove' ? decision.estimatedBytes : 0,
  };
}
