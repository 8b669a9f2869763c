import type { ImageJob } from '../../api/image-job.ts';
import type { ImageListStatus } from '../../api/image-list.ts';
import { type Finding, formatTime, withFindings } from '../conditions.ts';
import type { ImageListStep } from './plan-image-list.ts';
import type { ManualRunEnd } from './plan-manual-run.ts';

type ToldStep = Exclude<ImageListStep, { kind: 'nothing' | 'begin' }>;

interface StatusFrame {
  readonly before: ImageListStatus;
  readonly generation: number;
  readonly now: number;
}

/** Only the conditions: the counts are those of the last run until the next one has ended. */
export function describeStep(step: ToldStep, frame: StatusFrame): ImageListStatus {
  return { ...frame.before, observedGeneration: frame.generation, conditions: conditionsOf(findingsOf(step), frame) };
}

/** The counts, the times and the conditions of a run that is over. `timestamp` is always there, as Eraser writes it. */
export function describeEnd({ job, list }: ManualRunEnd, frame: Omit<StatusFrame, 'generation'>): ImageListStatus {
  const { before, now } = frame;
  const status = job?.status;
  const timestamp = status?.completionTime ?? formatTime(now);
  const conditions = conditionsOf(endFindings(job), { ...frame, generation: list.generation });
  if (status === undefined) return { ...before, timestamp, observedGeneration: list.generation, conditions };
  const { succeeded = 0, failed = 0, skipped = 0, startTime, removedImages, reclaimedBytes } = status;
  return {
    success: succeeded,
    failed,
    skipped,
    timestamp,
    ...(startTime === undefined ? {} : { startTime }),
    ...(removedImages === undefined ? {} : { removedImages }),
    ...(reclaimedBytes === undefined ? {} : { reclaimedBytes }),
    observedGeneration: list.generation,
    conditions,
  };
}

function conditionsOf(findings: readonly Finding[], { before, generation, now }: StatusFrame): NonNullable<ImageListStatus['conditions']> {
  return withFindings(before.conditions ?? [], findings, { observedGeneration: generation, now });
}

const absent = (type: 'Reconciling' | 'Stalled'): Finding => ({ type, status: null, reason: '', message: '' });

const WORKED_OFF_BEFORE =
  'The list was worked off before this manager first saw it, as its timestamp says. To have it worked off again, change it, or make it anew.';

function findingsOf(step: ToldStep): Finding[] {
  switch (step.kind) {
    case 'under-way': {
      const about = { reason: 'RunUnderWay', message: step.message };
      return [{ type: 'Ready', status: 'False', ...about }, { type: 'Reconciling', status: 'True', ...about }, absent('Stalled')];
    }
    case 'adopt':
      return [
        { type: 'Ready', status: 'True', reason: 'WorkedOffBefore', message: WORKED_OFF_BEFORE },
        absent('Reconciling'),
        absent('Stalled'),
      ];
    case 'empty':
      return [
        { type: 'Ready', status: 'True', reason: 'NothingListed', message: 'The list names no image.' },
        absent('Reconciling'),
        absent('Stalled'),
      ];
    case 'stalled': {
      const about = { reason: step.reason, message: step.message };
      return [{ type: 'Ready', status: 'False', ...about }, absent('Reconciling'), { type: 'Stalled', status: 'True', ...about }];
    }
  }
}

function endFindings(job: ImageJob | null): Finding[] {
  return [readiness(job), absent('Reconciling'), absent('Stalled')];
}

function readiness(job: ImageJob | null): Finding {
  if (job === null)
    return { type: 'Ready', status: 'False', reason: 'JobDeleted', message: 'The ImageJob of the run was deleted before it ended.' };
  const isComplete = job.status?.phase === 'Completed';
  const verdict = (job.status?.conditions ?? []).find(({ type }) => type === (isComplete ? 'Complete' : 'Failed'));
  const { reason = isComplete ? 'Completed' : 'Failed', message = '' } = verdict ?? {};
  return { type: 'Ready', status: isComplete ? 'True' : 'False', reason, message };
}
