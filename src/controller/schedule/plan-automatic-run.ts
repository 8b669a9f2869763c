import type { ImageJob } from '../../api/image-job.ts';
import { planNextAutomaticRun, recordRunEnd, recordRunStart } from '../../core/cluster/next-run.ts';
import type { Gate } from '../configuration/inputs.ts';
import type { ManagerState } from '../state/manager-state.ts';
import { automaticJobName, hasEnded } from '../image-job/image-job-object.ts';

export interface AutomaticRunInput {
  readonly state: ManagerState;
  /** The job of the run that the state has under way; null: there is none. */
  readonly job: ImageJob | null;
  readonly gate: Gate;
  readonly now: number;
}

export type AutomaticRunStep =
  /** `state` is to be stored; then it is looked again. */
  | { readonly kind: 'ended' | 'begin' | 'created'; readonly state: ManagerState }
  /** The job is to be made; what it is made of does not change until `created` is stored. */
  | { readonly kind: 'create-job'; readonly name: string; readonly state: ManagerState }
  /** `state` is to be stored where it differs. `lookAgainAfterMs` null: something else will ask. */
  | { readonly kind: 'wait'; readonly state: ManagerState; readonly lookAgainAfterMs: number | null };

/** One step of the way from a run that is due, by its stored intent and its job, to its end on record. */
export function planAutomaticRun({ state, job, gate, now }: AutomaticRunInput): AutomaticRunStep {
  const { automatic } = state;
  if (automatic !== null) {
    if (job === null && automatic.stage === 'intended') return { kind: 'create-job', name: automatic.job, state: created(state) };
    if (job !== null && automatic.stage === 'intended') return { kind: 'created', state: created(state) };
    // One that is missing was deleted by someone: its run is over.
    if (job === null || hasEnded(job))
      return { kind: 'ended', state: { ...state, schedule: recordRunEnd(state.schedule, endOf(job, now)), automatic: null } };
    return { kind: 'wait', state, lookAgainAfterMs: null };
  }
  if (gate.kind === 'closed') return { kind: 'wait', state, lookAgainAfterMs: null };
  const { scheduling } = gate.inputs.configuration;
  const planned = planNextAutomaticRun({ ...scheduling, state: state.schedule, isRunUnderWay: false, now });
  const settled = { ...state, schedule: planned.state };
  const { next } = planned;
  if (next.kind === 'due') {
    const intent = { job: automaticJobName(now), stage: 'intended' } as const;
    return { kind: 'begin', state: { ...settled, schedule: recordRunStart(planned.state, now), automatic: intent } };
  }
  return { kind: 'wait', state: settled, lookAgainAfterMs: next.kind === 'waiting' ? next.lookAgainAt - now : null };
}

/** A controller may learn of it long after. */
function endOf(job: ImageJob | null, now: number): number {
  const { completionTime } = job?.status ?? {};
  return completionTime === undefined ? now : Math.min(Date.parse(completionTime), now);
}

function created(state: ManagerState): ManagerState {
  return { ...state, automatic: state.automatic === null ? null : { ...state.automatic, stage: 'created' } };
}
