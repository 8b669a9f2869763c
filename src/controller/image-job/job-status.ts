import type { NodeSkipReason } from '../../api/cluster-node.ts';
import type { ImageJobStatus } from '../../api/image-job.ts';
import { formatSkipReason } from '../../core/cluster/select-nodes.ts';
import { summariseJob, type JobSettings } from '../../core/cluster/summarise-job.ts';
import { type Finding, formatTime, withFindings } from '../conditions.ts';
import { describeStop, type RunStop } from './find-stop.ts';
import { outcomeOf, type RunNode } from './node-records.ts';

export interface JobStatusInput {
  readonly nodes: readonly RunNode[];
  readonly settings: JobSettings;
  /** The wave after which a pause goes on; null: none does. */
  readonly pausedAfter: number | null;
  /** null: it goes over all nodes. */
  readonly stop: RunStop | null;
  readonly before: ImageJobStatus;
  readonly generation: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** The whole status of a job that has begun. */
export function describeJob({ nodes, settings, pausedAfter, stop, before, generation, now }: JobStatusInput): ImageJobStatus {
  const { status, successRatio } = summariseJob({
    outcomes: nodes.map(({ record }) => outcomeOf(record)),
    settings,
    isStopped: stop !== null,
    previous: before,
    now,
  });
  const findings = [
    ...findingsOf(status.phase, stop, describeOutcome(nodes, stop === null ? ratioText(successRatio, settings.successRatio) : '')),
    pauseFinding(status.phase === 'Running' ? pausedAfter : null),
  ];
  return {
    ...status,
    observedGeneration: generation,
    conditions: withFindings(before.conditions ?? [], findings, { observedGeneration: generation, now }),
  };
}

export interface RefusedJobInput extends Omit<JobStatusInput, 'nodes' | 'pausedAfter' | 'stop'> {
  /** One word for programs. */
  readonly reason: string;
  readonly message: string;
}

/** The status of a job that cannot be carried out, or not to its end; what was counted before stays. */
export function describeRefusedJob({ settings, before, generation, now, reason, message }: RefusedJobInput): ImageJobStatus {
  const findings: Finding[] = [
    BEGUN,
    pauseFinding(null),
    { type: 'Complete', status: 'False', reason, message },
    { type: 'Failed', status: 'True', reason, message },
  ];
  const time = formatTime(now);
  return {
    desired: 0,
    succeeded: 0,
    failed: 0,
    skipped: 0,
    startTime: time,
    ...before,
    phase: 'Failed',
    completionTime: time,
    deleteAfter: formatTime(now + settings.cleanup.delayOnFailure),
    observedGeneration: generation,
    conditions: withFindings(before.conditions ?? [], findings, { observedGeneration: generation, now }),
  };
}

export type HeldJobInput = Omit<RefusedJobInput, 'settings'>;

/** The status of a job that has not begun, and cannot now. Without a phase: it has frozen nothing. */
export function describeHeldJob({ before, generation, now, reason, message }: HeldJobInput): ImageJobStatus {
  const findings: Finding[] = [{ type: 'Stalled', status: 'True', reason, message }];
  const conditions = withFindings(before.conditions ?? [], findings, { observedGeneration: generation, now });
  return { ...before, observedGeneration: generation, conditions };
}

export const TOO_MANY_FAILED = 'TooManyNodesFailed';

/** It does not wait any more. */
const BEGUN: Finding = { type: 'Stalled', status: null, reason: '', message: '' };

function pauseFinding(wave: number | null): Finding {
  if (wave === null) return { type: 'Paused', status: null, reason: '', message: '' };
  const message = `Wave ${wave} has ended. The next one begins after the pause that the configuration has between waves.`;
  return { type: 'Paused', status: 'True', reason: 'BetweenWaves', message };
}

function findingsOf(phase: ImageJobStatus['phase'], stop: RunStop | null, outcome: string): Finding[] {
  const stopped: Finding[] =
    stop === null ? [] : [{ type: 'FailureTarget', status: 'True', reason: TOO_MANY_FAILED, message: describeStop(stop) }];
  if (phase === 'Running') return [BEGUN, ...stopped];
  const isComplete = phase === 'Completed';
  const reason = isComplete ? 'EnoughNodesSucceeded' : stop === null ? 'TooFewNodesSucceeded' : TOO_MANY_FAILED;
  const message = stop === null ? outcome : `${describeStop(stop)} ${outcome}`;
  return [
    BEGUN,
    ...stopped,
    { type: 'Complete', status: isComplete ? 'True' : 'False', reason, message },
    { type: 'Failed', status: isComplete ? 'False' : 'True', reason, message },
  ];
}

function ratioText(ratio: number, wanted: number): string {
  const percent = (share: number): string => `${Number((share * 100).toFixed(2))} %`;
  return `: ${percent(ratio)}, of ${percent(wanted)} wanted`;
}

function describeOutcome(nodes: readonly RunNode[], ratio: string): string {
  const count = (kind: string): number => nodes.filter(({ record }) => record.kind === kind).length;
  const counts = `${count('succeeded')} of ${nodes.length} nodes succeeded, ${count('failed')} failed, ${count('skipped')} were skipped`;
  const failures = describeFailures(nodes);
  return `${counts}${ratio}.${failures === '' ? '' : ` Failed: ${failures}`}`;
}

/** As many as a person reads. */
const MOST_SHOWN = 10;

function describeFailures(nodes: readonly RunNode[]): string {
  return shorten(nodes.flatMap(({ name, record }) => (record.kind === 'failed' ? [`${name}: ${record.message}`] : [])));
}

/** For an Event; empty: none was skipped. */
export function describeSkipped(nodes: readonly RunNode[]): string {
  return shorten(
    nodes.flatMap(({ name, record }) =>
      record.kind === 'skipped' ? [`${name}: ${formatSkipReason(record.reason satisfies NodeSkipReason)}`] : [],
    ),
  );
}

function shorten(texts: readonly string[]): string {
  const rest = texts.length - MOST_SHOWN;
  return [...texts.slice(0, MOST_SHOWN), ...(rest > 0 ? [`and ${rest} more`] : [])].join('; ');
}
