import { parseClusterNode } from '../../api/cluster-node.ts';
import { CONFIG_MAP_NAME } from '../../api/eraser-config/config-map.ts';
import type { ImageJob } from '../../api/image-job.ts';
import { planLateLook, selectLateNodes, type DatedNode, type LateState } from '../../core/cluster/late-nodes.ts';
import type { Reconciled } from '../loop/work-queue.ts';
import type { Inputs } from '../configuration/inputs.ts';
import { findJob } from '../image-job/find-job.ts';
import { hasEnded, makeAutomaticJob } from '../image-job/image-job-object.ts';
import { KEYS } from '../keys.ts';
import type { Log } from '../../platform/log.ts';
import type { ClusterApi, Copies, Enqueue, RecordEvent } from '../ports.ts';
import type { RawObject } from '../raw-object.ts';
import type { ManagerState } from '../state/manager-state.ts';
import type { StateStore } from '../state/state-store.ts';
import { readLateAfter } from './late-after.ts';
import { beginLateRun, planAutomaticRun, type AutomaticRunStep } from './plan-automatic-run.ts';

type Wait = Extract<AutomaticRunStep, { readonly kind: 'wait' }>;

export interface ScheduleContext {
  readonly api: Pick<ClusterApi, 'find' | 'list' | 'create'>;
  readonly copies: Pick<Copies, 'imageJobs'>;
  readonly inputs: Pick<Inputs, 'gate' | 'configuration' | 'runRequest'>;
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
  /** When it was looked for the late nodes of which run; null: not yet. */
  #looked: { readonly run: string; readonly at: number } | null = null;

  constructor(context: ScheduleContext) {
    this.#context = context;
  }

  async reconcile(signal: AbortSignal): Promise<Reconciled> {
    const { api, inputs, state: store, enqueue, log, now } = this.#context;
    const state = await store.read(signal);
    const job = state.automatic === null ? null : await findJob(this.#context, state.automatic.job, signal);
    const lateAfter = await this.#lateAfter(state, job, signal);
    const planned = planAutomaticRun({ state, job, gate: inputs.gate, request: inputs.runRequest, lateAfter, now: now() });
    const step = planned.kind === 'wait' ? await this.#withLateNodes(planned, signal) : planned;
    if (step.kind === 'create-job') {
      const { request, lateNodesOf } = step;
      const created = await api.create('ImageJob', makeAutomaticJob(step.name, { request, lateNodesOf }), signal);
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

  async #lateAfter({ automatic }: ManagerState, job: ImageJob | null, signal: AbortSignal): Promise<LateState | null> {
    const { api, inputs } = this.#context;
    const withinMs = inputs.configuration?.config.manager.imageJob.lateNodes.within ?? 0;
    if (withinMs === 0 || automatic === null || automatic.late !== undefined || job === null || !hasEnded(job)) return null;
    return readLateAfter(api, job, signal);
  }

  /** Where no run is due: whether nodes have come that the last one did not get to. */
  async #withLateNodes(step: Wait, signal: AbortSignal): Promise<AutomaticRunStep> {
    const { inputs, log, now } = this.#context;
    const { late, automatic } = step.state;
    if (late === null || automatic !== null || inputs.gate.kind === 'closed') return step;
    const { config, scheduling, nodeFilter } = inputs.gate.inputs.configuration;
    const withinMs = scheduling.schedule === null ? 0 : config.manager.imageJob.lateNodes.within;
    const lookedAt = this.#looked?.run === late.run ? this.#looked.at : null;
    const look = planLateLook({ late, withinMs, window: scheduling.window, lookedAt, now: now() });
    if (look.kind === 'over') return { ...step, state: { ...step.state, late: null } };
    if (look.kind === 'look') {
      const nodes = selectLateNodes(late, await this.#listNodes(signal), nodeFilter);
      this.#looked = { run: late.run, at: now() };
      if (nodes.length > 0) {
        log.info('a run over late nodes begins', { of: late.run, nodes: nodes.length });
        return { kind: 'begin', state: beginLateRun(step.state, { late, nodes, now: now() }) };
      }
    }
    return { ...step, lookAgainAfterMs: Math.min(step.lookAgainAfterMs ?? Infinity, look.lookAgainAt - now()) };
  }

  /** One that cannot be read is not known to have come. */
  async #listNodes(signal: AbortSignal): Promise<DatedNode[]> {
    const trim = (object: RawObject): DatedNode[] => {
      const parsed = parseClusterNode(object);
      const createdAt = Date.parse(String(object.metadata['creationTimestamp']));
      return parsed.ok ? [{ node: parsed.value, createdAt: Number.isNaN(createdAt) ? null : createdAt }] : [];
    };
    return (await this.#context.api.list('Node', { trim }, signal)).flat();
  }

  #tellRefusal(note: string): void {
    const { namespace, recordEvent, log } = this.#context;
    const regarding = { apiVersion: 'v1', kind: 'ConfigMap', namespace, name: CONFIG_MAP_NAME };
    recordEvent({ regarding, type: 'Warning', reason: 'RunRequestRefused', action: 'Clean', note });
    log.warn('a run that was asked for is refused', { why: note });
  }
}
