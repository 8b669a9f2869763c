import type { ImageJob } from '../../api/image-job.ts';
import type { ImageListVersion } from '../../core/cluster/image-list-due.ts';
import { hasEnded } from '../image-job/image-job-object.ts';
import type { ManagerState } from '../state/manager-state.ts';

/** What came of a run, for the list that it was for. */
export interface ManualRunEnd {
  readonly list: ImageListVersion;
  /** null: it was deleted before it ended. */
  readonly job: ImageJob | null;
}

export type ManualRunStep =
  | { readonly kind: 'none' }
  | { readonly kind: 'create-job'; readonly name: string; readonly list: ImageListVersion; readonly state: ManagerState }
  | { readonly kind: 'created'; readonly state: ManagerState }
  | { readonly kind: 'running'; readonly list: ImageListVersion; readonly job: ImageJob }
  /** The list is to be told first, then `state` to be stored. */
  | { readonly kind: 'ended'; readonly end: ManualRunEnd; readonly state: ManagerState };

/** One step of the run that is under way for a list, whether that is still there or not. `job`: of the stored intent; null: there is none. */
export function planManualRun(state: ManagerState, job: ImageJob | null): ManualRunStep {
  const { manual } = state;
  if (manual === null) return { kind: 'none' };
  const { list } = manual;
  if (manual.stage === 'intended') {
    const created: ManagerState = { ...state, manual: { ...manual, stage: 'created' } };
    return job === null ? { kind: 'create-job', name: manual.job, list, state: created } : { kind: 'created', state: created };
  }
  if (job !== null && !hasEnded(job)) return { kind: 'running', list, job };
  return { kind: 'ended', end: { list, job }, state: { ...state, manual: null } };
}
