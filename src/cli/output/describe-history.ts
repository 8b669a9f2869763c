import type { NodeVerdict } from '../../api/node-verdict.ts';
import type { DecisionRecord, JobRecord, NodeOfRun, RunRecord } from '../../api/run-record.ts';
import { formatReason, vulnerabilityIds } from '../../core/format-reason.ts';
import { FIGURES } from './describe-decision.ts';
import type { DescribedVerdict } from './format-verdicts.ts';

/** What `history -o json` prints. Times are ISO 8601 in UTC. Fields are added, never renamed. */
export function describeRecordedRun({ node, ...run }: RunRecord): Readonly<Record<string, unknown>> {
  const common = { ...run, startedAt: formatTime(run.startedAt), endedAt: run.endedAt === null ? null : formatTime(run.endedAt) };
  if (node === undefined) return common;
  return { ...common, node: { ...node, recordedAt: formatTime(node.recordedAt) } };
}

export function describeJob(job: JobRecord): Readonly<Record<string, unknown>> {
  const timeOf = (ms: number | null): string | null => (ms === null ? null : formatTime(ms));
  return { ...job, startedAt: timeOf(job.startedAt), endedAt: timeOf(job.endedAt) };
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
  /** Not on one machine. */
  readonly node?: Pick<NodeOfRun, 'name' | 'job'>;
}

export function describeImageDecision({ decision, startedAt, node }: ImageDecision): Readonly<Record<string, unknown>> {
  const common = { ...describeRecordedDecision(decision), runStartedAt: startedAt === null ? null : formatTime(startedAt) };
  return node === undefined ? common : { ...common, node: node.name, job: node.job };
}

export function describeVerdict({ readAt, judgedAt, ...verdict }: NodeVerdict): DescribedVerdict {
  const timeOf = (ms: number | null): string | null => (ms === null ? null : formatTime(ms));
  return { ...verdict, readAt: timeOf(readAt), judgedAt: timeOf(judgedAt) };
}

export function formatTime(ms: number): string {
  return new Date(ms).toISOString();
}
