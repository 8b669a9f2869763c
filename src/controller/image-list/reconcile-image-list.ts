import { IMAGE_LIST_NAME, parseImageList, type ImageList, type ImageListStatus } from '../../api/image-list.ts';
import type { ImageJob } from '../../api/image-job.ts';
import type { Sha256 } from '../../core/cluster/pod-name.ts';
import { formatProblems, type Inputs } from '../configuration/inputs.ts';
import { findJob } from '../image-job/find-job.ts';
import { makeManualJob, manualJobName } from '../image-job/image-job-object.ts';
import { KEYS } from '../keys.ts';
import type { Log } from '../../platform/log.ts';
import type { Reconciled } from '../loop/work-queue.ts';
import type { ClusterApi, Copies, Enqueue, RecordEvent } from '../ports.ts';
import type { RawObject } from '../raw-object.ts';
import type { ManagerState } from '../state/manager-state.ts';
import type { StateStore } from '../state/state-store.ts';
import { describeEnd, describeStep } from './image-list-status.ts';
import { planImageList, type ImageListStep } from './plan-image-list.ts';
import { planManualRun, type ManualRunEnd, type ManualRunStep } from './plan-manual-run.ts';
import { hasStatusOfEraser, isChangedSince } from './worked-off-before.ts';

export interface ImageListContext {
  readonly api: Pick<ClusterApi, 'find' | 'create' | 'setStatus'>;
  readonly copies: Pick<Copies, 'imageLists' | 'imageJobs'>;
  readonly inputs: Pick<Inputs, 'gate'>;
  readonly state: Pick<StateStore, 'read' | 'write'>;
  readonly enqueue: Enqueue;
  readonly recordEvent: RecordEvent;
  readonly sha256: Sha256;
  readonly log: Log;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

const AGAIN: Reconciled = { requeueAfterMs: 0 };

/** Begins a run for each version of the list that acts, and tells in its status what came of it. Of other lists it says that they do not act. */
export class ImageListReconciler {
  readonly #context: ImageListContext;

  constructor(context: ImageListContext) {
    this.#context = context;
  }

  async reconcile(name: string, signal: AbortSignal): Promise<Reconciled> {
    const { copies, inputs, state: store } = this.#context;
    const raw = copies.imageLists.values().find(({ metadata }) => metadata.name === name) ?? null;
    const state = await store.read(signal);
    const job = name !== IMAGE_LIST_NAME || state.manual === null ? null : await findJob(this.#context, state.manual.job, signal);
    if (name === IMAGE_LIST_NAME) {
      const step = planManualRun(state, job);
      if (step.kind !== 'none' && step.kind !== 'running') return this.#carryOn(step, raw, signal);
    }
    if (raw === null) return {};
    const parsed = parseImageList(raw);
    if (!parsed.ok) throw new Error(`the ImageList ${name} cannot be read: ${formatProblems(parsed.errors)}`);
    const list = parsed.value;
    const isWorkedOffBefore = await this.#isWorkedOffBefore(list, state, signal);
    const step = planImageList({ list, state, gate: inputs.gate, isWorkedOffBefore, waitsFor: job === null ? null : waitsFor(job) });
    if (step.kind === 'nothing') return {};
    if (step.kind === 'begin') return this.#begin(step, state, signal);
    if (step.kind === 'adopt') await store.write({ ...state, lastBegun: step.version }, signal);
    await this.#setStatus(
      raw,
      (before) => describeStep(step, { before, generation: list.metadata.generation, now: this.#context.now() }),
      signal,
    );
    if (step.kind === 'stalled') this.#warn(raw, step);
    return {};
  }

  /** Asked only as long as no list was ever begun; the copy keeps not what tells of changes. */
  async #isWorkedOffBefore(list: ImageList, { lastBegun }: ManagerState, signal: AbortSignal): Promise<boolean> {
    const { timestamp } = list.status ?? {};
    if (lastBegun !== null || timestamp === undefined || list.metadata.name !== IMAGE_LIST_NAME || !hasStatusOfEraser(list)) return false;
    const raw = await this.#context.api.find('ImageList', list.metadata.name, signal);
    return raw !== null && raw.metadata.uid === list.metadata.uid && !isChangedSince(timestamp, raw);
  }

  /** The intent is stored before anything is made of it. */
  async #begin({ version }: ImageListStep & { readonly kind: 'begin' }, state: ManagerState, signal: AbortSignal): Promise<Reconciled> {
    const manual = { job: manualJobName(version, this.#context.sha256), stage: 'intended', list: version } as const;
    await this.#context.state.write({ ...state, manual, lastBegun: version }, signal);
    return AGAIN;
  }

  async #carryOn(
    step: Exclude<ManualRunStep, { kind: 'none' | 'running' }>,
    raw: RawObject | null,
    signal: AbortSignal,
  ): Promise<Reconciled> {
    const { api, state, enqueue, log } = this.#context;
    if (step.kind === 'create-job') {
      const created = await api.create('ImageJob', makeManualJob(step.name, step.list), signal);
      if (created.outcome === 'refused') throw new Error(`the ImageJob ${step.name} cannot be made: ${created.message}`);
      log.info('manual run begins', { job: step.name, generation: step.list.generation });
    }
    if (step.kind === 'ended') await this.#tellEnd(step.end, raw, signal);
    await state.write(step.state, signal);
    // The job may be deleted once its end is on record.
    if (step.kind === 'ended' && step.end.job !== null) enqueue(KEYS.job(step.end.job.metadata.name));
    return AGAIN;
  }

  async #tellEnd(end: ManualRunEnd, raw: RawObject | null, signal: AbortSignal): Promise<void> {
    // Another list of the same name has nothing to do with that run.
    if (raw === null || raw.metadata.uid !== end.list.uid) return;
    await this.#setStatus(raw, (before) => describeEnd(end, { before, now: this.#context.now() }), signal);
    this.#context.log.info('manual run ended', { job: end.job?.metadata.name ?? null, phase: end.job?.status?.phase ?? 'deleted' });
  }

  #setStatus(raw: RawObject, statusOf: (before: ImageListStatus) => ImageListStatus, signal: AbortSignal): Promise<void> {
    return this.#context.api.setStatus({ kind: 'ImageList', object: raw }, (object) => statusOf(readStatus(object)), signal);
  }

  #warn(raw: RawObject, { reason, message }: { readonly reason: string; readonly message: string }): void {
    const { name, uid } = raw.metadata;
    const regarding = { apiVersion: 'eraser.sh/v1', kind: 'ImageList', name, ...(uid === undefined ? {} : { uid }) };
    this.#context.recordEvent({ regarding, type: 'Warning', reason, action: 'Clean', note: message });
    this.#context.log.warn('nothing is done for an ImageList', { name, reason, why: message });
  }
}

/** What a job that has not begun says of why; null: it has begun, or nothing is in its way. */
function waitsFor({ status }: ImageJob): string | null {
  return status?.conditions?.find(({ type, status: is }) => type === 'Stalled' && is === 'True')?.message ?? null;
}

/** One that cannot be read is written anew. */
function readStatus(object: RawObject): ImageListStatus {
  const parsed = parseImageList(object);
  const list: ImageList | null = parsed.ok ? parsed.value : null;
  return list?.status ?? {};
}
