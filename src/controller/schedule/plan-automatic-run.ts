import type { ImageJob } from '../../api/image-job.ts';
import { recordLateRun, type LateState } from '../../core/cluster/late-nodes.ts';
import { planNextAutomaticRun, recordRunEnd, recordRunStart } from '../../core/cluster/next-run.ts';
import { withFindings } from '../conditions.ts';
import type { Gate } from '../configuration/inputs.ts';
import type { ManagerState } from '../state/manager-state.ts';
import { automaticJobName, hasEnded } from '../image-job/image-job-object.ts';

export interface AutomaticRunInput {
  readonly state: ManagerState;
  /** The job of the run that the state has under way; null: there is none. */
  readonly job: ImageJob | null;
  readonly gate: Gate;
  /** The token of the run that somebody asked for last; null: nobody does. */
  readonly request: string | null;
  /** Of the run whose job has ended, for nodes that come late; null or absent: nothing. */
  readonly lateAfter?: LateState | null;
  readonly now: number;
}

export type AutomaticRunStep =
  /** `state` is to be stored; then it is looked again. */
  | { readonly kind: 'ended' | 'begin' | 'created'; readonly state: ManagerState }
  /** The job is to be made; what it is made of does not change until `created` is stored. */
  | {
      readonly kind: 'create-job';
      readonly name: string;
      readonly request: string | null;
      readonly lateNodesOf: string | null;
      readonly state: ManagerState;
    }
  /** What was asked for will not be done; to be told, then `state` to be stored, and looked again. */
  | { readonly kind: 'refused'; readonly message: string; readonly state: ManagerState }
  /** `state` is to be stored where it differs. `lookAgainAfterMs` null: something else will ask. */
  | { readonly kind: 'wait'; readonly state: ManagerState; readonly lookAgainAfterMs: number | null };

/** One step of the way from a run that is due or asked for, by its stored intent and its job, to its end on record. */
export function planAutomaticRun({ state, job, gate, request, lateAfter = null, now }: AutomaticRunInput): AutomaticRunStep {
  const { automatic, lastRequest } = state;
  if (automatic !== null) {
    if (job === null && automatic.stage === 'intended') {
      const token = lastRequest?.job === automatic.job ? lastRequest.token : null;
      return { kind: 'create-job', name: automatic.job, request: token, lateNodesOf: automatic.late?.of ?? null, state: created(state) };
    }
    if (job !== null && automatic.stage === 'intended') return { kind: 'created', state: created(state) };
    // One that is missing was deleted by someone: its run is over.
    if (job === null || hasEnded(job)) {
      // It changes nothing of when the next is due, and shows nothing of the whole cluster.
      if (automatic.late !== undefined) return { kind: 'ended', state: { ...state, automatic: null } };
      const schedule = recordRunEnd(state.schedule, endOf(job, now));
      const hasCleaned = state.hasCleaned || job?.status?.phase === 'Completed';
      return {
        kind: 'ended',
        state: { ...state, schedule, automatic: null, late: lateAfter === null ? null : stored(lateAfter), hasCleaned },
      };
    }
    return { kind: 'wait', state, lookAgainAfterMs: null };
  }
  if (gate.kind === 'closed') return { kind: 'wait', state, lookAgainAfterMs: null };
  const { scheduling } = gate.inputs.configuration;
  const planned = planNextAutomaticRun({ ...scheduling, state: state.schedule, isRunUnderWay: false, now });
  const settled = { ...state, schedule: planned.state };
  const { next } = planned;
  const isAsked = request !== null && request !== lastRequest?.token;
  if (isAsked && next.kind === 'off') return { kind: 'refused', message: AUTOMATIC_RUNS_OFF, state: refused(settled, request, now) };
  // No window keeps a run back that somebody asks for.
  if (isAsked || next.kind === 'due') {
    const begun = begin({ ...settled, schedule: recordRunStart(planned.state, now) }, now);
    return { kind: 'begin', state: isAsked ? answered(begun, request, now) : begun };
  }
  return { kind: 'wait', state: settled, lookAgainAfterMs: next.kind === 'waiting' ? next.lookAgainAt - now : null };
}

const AUTOMATIC_RUNS_OFF =
  'Automatic runs are off (components.collector.enabled is false), so none is begun. To have one, turn them on, and ask for it again.';

function begin(state: ManagerState, now: number): ManagerState {
  return { ...state, automatic: { job: automaticJobName(now), stage: 'intended' }, late: null };
}

/** A run over late nodes alone. */
export function beginLateRun(
  state: ManagerState,
  { late, nodes, now }: { late: LateState; nodes: readonly string[]; now: number },
): ManagerState {
  const intent: ManagerState['automatic'] = { job: automaticJobName(now), stage: 'intended', late: { of: late.run, nodes: [...nodes] } };
  return { ...state, automatic: intent, late: stored(recordLateRun(late, nodes)) };
}

function stored({ away, had, ...late }: LateState): ManagerState['late'] {
  return { ...late, away: [...away], had: [...had] };
}

/** Stored together with the intent: so whatever happens, a request is neither lost nor begun twice. */
function answered(state: ManagerState, token: string, now: number): ManagerState {
  const job = state.automatic?.job ?? null;
  const message = `The run ${job ?? ''} is the one that was asked for.`;
  const finding = { type: 'RunRequestAccepted', status: 'True', reason: 'RunBegun', message } as const;
  return { ...state, lastRequest: { token, job }, conditions: withFindings(state.conditions, [finding], { now }) };
}

/** It is over: it would be of no use to whoever asked to have a run days later. */
function refused(state: ManagerState, token: string, now: number): ManagerState {
  const finding = { type: 'RunRequestAccepted', status: 'False', reason: 'AutomaticRunsOff', message: AUTOMATIC_RUNS_OFF } as const;
  return { ...state, lastRequest: { token, job: null }, conditions: withFindings(state.conditions, [finding], { now }) };
}

/** A controller may learn of it long after. */
function endOf(job: ImageJob | null, now: number): number {
  const { completionTime } = job?.status ?? {};
  return completionTime === undefined ? now : Math.min(Date.parse(completionTime), now);
}

function created(state: ManagerState): ManagerState {
  return { ...state, automatic: state.automatic === null ? null : { ...state.automatic, stage: 'created' } };
}
