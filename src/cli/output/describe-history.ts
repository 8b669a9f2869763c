import type { DecisionRecord, RunRecord } from '../../api/run-record.ts';
import { formatReason, vulnerabilityIds } from '../../core/format-reason.ts';
import { FIGURES } from './describe-decision.ts';

/** What `history -o json` prints. Times are ISO 8601 in UTC. Fields are added, never renamed. */
export function describeRecordedRun(run: RunRecord): Readonly<Record<string, unknown>> {
  return { ...run, startedAt: formatTime(run.startedAt), endedAt: run.endedAt === null ? null : formatTime(run.endedAt) };
}

export function describeRecordedDecision({ ruling, removal, ...image }: DecisionRecord): Readonly<Record<string, unknown>> {
  return {
    ...image,
    outcome: ruling.outcome,
    reason: ruling.reason,
    message: formatReason(ruling, FIGURES),
    cves: vulnerabilityIds(ruling.reason),
    removal: removal === null ? null : { ...removal, at: removal.at === null ? null : formatTime(removal.at) },
  };
}

/** A decision with the start of its run; null when that run is forgotten. */
export interface ImageDecision {
  readonly decision: DecisionRecord;
  readonly startedAt: number | null;
}

export function describeImageDecision({ decision, startedAt }: ImageDecision): Readonly<Record<string, unknown>> {
  return { ...describeRecordedDecision(decision), runStartedAt: startedAt === null ? null : formatTime(startedAt) };
}

export function formatTime(ms: number): string {
  return new Date(ms).toISOString();
}
