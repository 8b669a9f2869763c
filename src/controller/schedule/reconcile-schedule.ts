import { CONFIG_MAP_NAME } from '../../api/eraser-config/config-map.ts';
import type { Reconciled } from '../loop/work-queue.ts';
import type { Inputs } from '../configuration/inputs.ts';
import { findJob } from '../image-job/find-job.ts';
import { makeAutomaticJob } from '../image-job/image-job-object.ts';
import { KEYS } from '../keys.ts';
import type { Log } from '../../platform/log.ts';
import type { ClusterApi, Copies, Enqueue, RecordEvent } from '../ports.ts';
import type { StateStore } from '../state/state-store.ts';
import { planAutomaticRun } from './plan-automatic-run.ts';

export interface ScheduleContext {
  readonly api: Pick<ClusterApi, 'find' | 'create'>;
  readonly copies: Pick<Copies, 'imageJobs'>;
  readonly inputs: Pick<Inputs, 'gate' | 'runRequest'>;
  readonly state: Pick<StateStore, 'read' | 'write'>;
  readonly enqueue: Enqueue;
  readonly namespace: string;
  readonly recordEvent: RecordEvent;
  readonly log: Log;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** Begins automatic runs when they are due or asked for, and takes note of their ends. */
export class ScheduleReconciler {
  readonly #context: ScheduleContext;

  constructor(context: ScheduleContext) {
    this.#context = context;
  }

  async reconcile(signal: AbortSignal): Promise<Reconciled> {
    const { api, inputs, state: store, enqueue, log, now } = this.#context;
    const state = await store.read(signal);
    const job = state.automatic === null ? null : await findJob(this.#context, state.automatic.job, signal);
    const step = planAutomaticRun({ state, job, gate: inputs.gate, request: inputs.runRequest, now: now() });
    if (step.kind === 'create-job') {
      const created = await api.create('ImageJob', makeAutomaticJob(step.name, step.request), signal);
      if (created.outcome === 'refused') throw new Error(`the ImageJob ${step.name} cannot be made: ${created.message}`);
      log.info('automatic run begins', { job: step.name, ...(step.request === null ? {} : { request: step.request }) });
    }
    if (step.kind === 'refused') this.#tellRefusal(step.message);
    await store.write(step.state, signal);
    if (step.kind === 'wait') return step.lookAgainAfterMs === null ? {} : { requeueAfterMs: Math.max(step.lookAgainAfterMs, 0) };
    // The job may be deleted once its end is on record.
    if (step.kind === 'ended' && job !== null) enqueue(KEYS.job(job.metadata.name));
    return { requeueAfterMs: 0 };
  }

  #tellRefusal(note: string): void {
    const { namespace, recordEvent, log } = this.#context;
    const regarding = { apiVersion: 'v1', kind: 'ConfigMap', namespace, name: CONFIG_MAP_NAME };
    recordEvent({ regarding, type: 'Warning', reason: 'RunRequestRefused', action: 'Clean', note });
    log.warn('a run that was asked for is refused', { why: note });
  }
}
