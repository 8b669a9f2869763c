import type { DecisionRecord } from '../api/run-record.ts';
import { formatReason, vulnerabilityIds } from '../core/format-reason.ts';
import type { Removal } from '../engine/removal.ts';
import type { AuditEntry } from '../store/audit-log.ts';
import { FIGURES } from './output/describe-decision.ts';

/** What the audit log says of a removal, beside whose and when it was. */
export type AuditedRemoval = Omit<AuditEntry, 'at' | 'runId' | 'host' | 'user' | 'settled'>;

export function auditedRemoval({ decision: { image, reason, estimatedBytes }, outcome }: Removal): AuditedRemoval {
  return {
    imageId: image.id,
    repoTags: image.repoTags,
    repoDigests: image.repoDigests,
    reason: { code: reason.code, message: formatReason({ reason }, FIGURES) },
    vulnerabilityIds: vulnerabilityIds(reason),
    bytes: estimatedBytes,
    outcome: outcome.kind,
    message: outcome.kind === 'failed' ? outcome.message : outcome.kind === 'kept' ? formatReason(outcome, FIGURES) : null,
  };
}

/** Of a run that was killed, once it is known what became of the removal. */
export function auditedRecord({ ruling: { reason }, removal, ...image }: DecisionRecord): AuditedRemoval {
  return {
    imageId: image.imageId,
    repoTags: image.repoTags,
    repoDigests: image.repoDigests,
    reason: { code: reason.code, message: formatReason({ reason }, FIGURES) },
    vulnerabilityIds: vulnerabilityIds(reason),
    bytes: image.estimatedBytes,
    outcome: removal?.state ?? 'kept',
    message: removal?.message ?? null,
  };
}
