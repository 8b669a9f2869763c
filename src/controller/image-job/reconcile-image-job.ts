import { parseImageJob, type ImageJob, type ImageJobStatus } from '../../api/image-job.ts';
import { errorMessage } from '../../platform/errors.ts';
import { JOB_UID_LABEL } from '../../core/cluster/worker-pod.ts';
import type { Inputs } from '../configuration/inputs.ts';
import { KEYS } from '../keys.ts';
import type { Reconciled } from '../loop/work-queue.ts';
import type { ClusterApi, Copies, Enqueue, ReadReported, RecordEvent, RecordRun } from '../ports.ts';
import type { RawObject } from '../raw-object.ts';
import type { StateStore } from '../state/state-store.ts';
import { beginRun, type BeginContext } from './begin-run.ts';
import { carryOnRun, type CarryOnContext } from './carry-on-run.ts';
import { countOfMaxFailed } from '../../core/cluster/max-failed.ts';
import { describeStop, findStop, type RunStop } from './find-stop.ts';
import type { FoundRun } from './find-run.ts';
import { hasEnded, isForLateNodes, readImageJob, runKindOf, type RunKind } from './image-job-object.ts';
import { describeHeldJob, describeJob, describeRefusedJob, describeSkipped, TOO_MANY_FAILED } from './job-status.ts';
import { LEAVING_MS } from './judge-node.ts';
import { loadRun, type LoadContext } from './load-run.ts';
import { NodeView } from './node-view.ts';
import { isOver } from './plan-job.ts';
import { planCleanup } from './plan-cleanup.ts';
import { isLive, type PodFacts } from './pod-facts.ts';
import { takeOver } from './put-on-record.ts';
import type { Run } from './run.ts';

export interface ImageJobContext extends Omit<CarryOnContext, 'api' | 'nodes'>, Omit<BeginContext, 'api' | 'nodes'>, LoadContext {
  readonly api: ClusterApi;
  readonly copies: Pick<Copies, 'imageJobs'>;
  readonly inputs: Pick<Inputs, 'gate' | 'configuration'>;
  readonly state: Pick<StateStore, 'read'>;
  readonly historyLimit: number;
  readonly enqueue: Enqueue;
  readonly recordEvent: RecordEvent;
  readonly recordRun: RecordRun;
  readonly readReported: ReadReported;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** An observed job. */
interface Observed {
  readonly raw: RawObject;
  readonly job: ImageJob;
}

/** For a job that nobody's configuration is known of, as long as Eraser keeps one that failed. */
const USUAL_SETTINGS = { successRatio: 1, cleanup: { delayOnSuccess: 0, delayOnFailure: 24 * 3_600_000 } };

/** A right that is missing is granted by someone; an API server that is away is asked again sooner by its client. */
const HELD_MS = 60_000;

/** How often the pods of a run that is over are told to go, as long as there are any. */
const CLEAR_AGAIN_MS = 30_000;

/** Who looks at a run that goes on, looks for minutes. */
const STATUS_MS = 20_000;

/** What a process knows of jobs beside what is stored, by the uid of the job: it is lost with the process. */
export interface KnownOfJobs {
  readonly runs: Map<string, Run>;
  /** Since when it has ended, while containers of it have not. */
  readonly leavingSince: Map<string, number>;
  /** When its pods were told to go. */
  readonly clearedAt: Map<string, number>;
}

/** Carries jobs out, from the freezing of what they go by to their deletion. */
export class ImageJobReconciler {
  readonly #context: ImageJobContext & { readonly nodes: NodeView };
  readonly #runs: KnownOfJobs['runs'];
  readonly #leavingSince: KnownOfJobs['leavingSince'];
  readonly #clearedAt: KnownOfJobs['clearedAt'];
  readonly #takenUpAt = new Map<string, number>();
  /** The uids of jobs whose end is in the history. */
  readonly #endRecorded = new Set<string>();

  /** `known`: of a process that begins, nothing. */
  constructor(context: ImageJobContext, known: KnownOfJobs = { runs: new Map(), leavingSince: new Map(), clearedAt: new Map() }) {
    this.#context = { ...context, nodes: new NodeView(context) };
    this.#runs = known.runs;
    this.#leavingSince = known.leavingSince;
    this.#clearedAt = known.clearedAt;
  }

  find(jobUid: string): FoundRun {
    const run = this.#runs.get(jobUid);
    if (run?.isEndTold === false) return { kind: 'goes-on', run, takenUpAt: this.#takenUpAt.get(jobUid) ?? null };
    const raw = this.#context.copies.imageJobs.values().find(({ metadata }) => metadata.uid === jobUid);
    const job = raw === undefined ? null : readImageJob(raw);
    if (job === null || job.metadata.deletionTimestamp !== undefined || hasEnded(job)) return { kind: 'over' };
    return run === undefined ? { kind: 'not-taken-up' } : { kind: 'over' };
  }

  async reconcile(name: string, signal: AbortSignal): Promise<Reconciled> {
    const { copies, pods, monotonicNow } = this.#context;
    const raw = copies.imageJobs.values().find(({ metadata }) => metadata.name === name);
    if (raw === undefined) {
      this.#forget(name);
      return {};
    }
    const observed = { raw, job: readImageJob(raw) };
    const { uid, deletionTimestamp } = observed.job.metadata;
    if (deletionTimestamp !== undefined) return {};
    if (hasEnded(observed.job)) return this.#cleanUp(observed, signal);
    const kind = runKindOf(observed.job);
    if (kind === null) return this.#refuse(observed, NOT_OURS, signal);
    const known = this.#runs.get(uid);
    if (known !== undefined && !known.isInDoubt) return this.#carryOn(observed, known, signal);
    if (known === undefined && observed.job.status?.phase === undefined) return this.#begin(observed, kind, signal);
    const objects = await this.#context.api.list(
      'ConfigMap',
      { labelSelector: `${JOB_UID_LABEL}=${uid}`, trim: (object) => object },
      signal,
    );
    const run = loadRun(this.#context, { job: observed.job, kind, now: monotonicNow() }, objects);
    if (typeof run === 'string') return this.#refuse(observed, { reason: 'RunLost', message: `The run cannot go on: ${run}.` }, signal);
    // What the leader before was told may be nowhere else: its pod may be gone. No worker is answered for this run before it is taken up.
    if (known === undefined) {
      await this.#hearOfBefore(uid, signal);
      if ([...pods.of(uid).values()].some(isLive)) this.#takenUpAt.set(uid, monotonicNow());
    } else takeOver(this.#context, known, { run, now: monotonicNow() });
    this.#runs.set(uid, run);
    this.#recordBeginning(observed.job, kind, signal);
    this.#context.log.info('run taken up', { job: name, pods: pods.of(uid).size });
    return this.#carryOn(observed, run, signal);
  }

  async #hearOfBefore(uid: string, signal: AbortSignal): Promise<void> {
    const { pods, readReported } = this.#context;
    for (const [node, removed] of await readReported(uid, signal)) pods.noteReported({ job: uid, node }, removed);
  }

  async #begin(observed: Observed, kind: RunKind, signal: AbortSignal): Promise<Reconciled> {
    const { inputs, state, recordEvent, log, monotonicNow } = this.#context;
    const { job } = observed;
    const { automatic, manual, hasCleaned } = await state.read(signal);
    if (automatic?.job !== job.metadata.name && manual?.job !== job.metadata.name) return this.#refuse(observed, NOT_OURS, signal);
    const { gate } = inputs;
    // Looked at again when configuration or exclusions change.
    if (gate.kind === 'closed') {
      await this.#hold(observed, gate, signal);
      return {};
    }
    const onlyNodes = automatic?.job === job.metadata.name ? (automatic.late?.nodes ?? null) : null;
    if (onlyNodes === null && isForLateNodes(job)) return this.#refuse(observed, NODES_LOST, signal);
    const begun = await beginRun(this.#context, { job, kind, inputs: gate.inputs, keepsAsEraser: !hasCleaned, onlyNodes }, signal);
    if (begun.kind === 'refused') return this.#refuse(observed, begun, signal);
    if (begun.kind === 'held') {
      await this.#hold(observed, begun, signal);
      return { requeueAfterMs: HELD_MS };
    }
    const run = loadRun(this.#context, { job, kind, now: monotonicNow() }, begun.objects);
    if (typeof run === 'string') throw new Error(`what the run ${job.metadata.name} has frozen cannot be read back: ${run}`);
    // No pod is made before the job says that all of it is stored.
    await this.#setStatus(observed, run, signal);
    run.nodesSeenAt = run.knownSince;
    this.#runs.set(job.metadata.uid, run);
    const skipped = describeSkipped(run.parts.flat());
    if (skipped !== '') recordEvent({ regarding: regarding(job), type: 'Normal', reason: 'NodesSkipped', action: 'Clean', note: skipped });
    this.#recordBeginning(job, kind, signal);
    log.info('run begins', { job: job.metadata.name, kind, nodes: run.parts.flat().length });
    return { requeueAfterMs: 0 };
  }

  async #carryOn(observed: Observed, run: Run, signal: AbortSignal): Promise<Reconciled> {
    const { againAfterMs, failure } = await carryOnRun(this.#context, run, signal);
    const isAtEnd = isOver(run.parts.flat());
    const stop = stopOf(run);
    const isStopNews = stop !== null && !run.isStopTold;
    if (isStopNews) this.#tellStop(observed.job, run, stop);
    // The status says what is on record, no more.
    const tellAfterMs = run.isStatusTold || run.unwritten.parts.size > 0 ? Infinity : this.#tellAfterMs(run, isAtEnd || isStopNews);
    if (tellAfterMs <= 0) await this.#setStatus(observed, run, signal);
    if (isAtEnd && !run.isEndTold) this.#tellEnd(observed.job, run);
    if (failure !== null) throw failure;
    const next = Math.min(againAfterMs ?? Infinity, tellAfterMs > 0 ? tellAfterMs : Infinity);
    return next === Infinity ? {} : { requeueAfterMs: next };
  }

  #tellAfterMs({ statusToldAt }: Run, isUrgent: boolean): number {
    return isUrgent ? 0 : statusToldAt + STATUS_MS - this.#context.monotonicNow();
  }

  async #setStatus({ raw }: Observed, run: Run, signal: AbortSignal): Promise<void> {
    const { api, now } = this.#context;
    const settings = run.configuration.config.manager.imageJob;
    const statusOf = (object: RawObject): ImageJobStatus => {
      const { status: before = {}, metadata } = readImageJob(object);
      const { generation } = metadata;
      const { pausedAfter } = run;
      const nodes = run.parts.flat();
      return describeJob({ nodes, settings, pausedAfter, stop: stopOf(run), before, generation, now: now() });
    };
    await api.setStatus({ kind: 'ImageJob', object: raw }, statusOf, signal);
    run.isStatusTold = true;
    run.statusToldAt = this.#context.monotonicNow();
  }

  /** It waits, and says for what: nothing is removed until that can be read. */
  async #hold(
    { raw, job }: Observed,
    { reason, message }: { readonly reason: string; readonly message: string },
    signal: AbortSignal,
  ): Promise<void> {
    const { api, now, recordEvent, log } = this.#context;
    const statusOf = (object: RawObject): ImageJobStatus => {
      const { status: before = {}, metadata } = readImageJob(object);
      return describeHeldJob({ before, generation: metadata.generation, now: now(), reason, message });
    };
    await api.setStatus({ kind: 'ImageJob', object: raw }, statusOf, signal);
    recordEvent({ regarding: regarding(job), type: 'Warning', reason, action: 'Clean', note: message });
    log.warn('run waits', { job: job.metadata.name, reason, why: message });
  }

  async #refuse(
    { raw, job }: Observed,
    { reason, message }: { readonly reason: string; readonly message: string },
    signal: AbortSignal,
  ): Promise<Reconciled> {
    const { api, inputs, now, recordEvent, log } = this.#context;
    const settings = inputs.configuration?.config.manager.imageJob ?? USUAL_SETTINGS;
    const statusOf = (object: RawObject): ImageJobStatus => {
      const { status: before = {}, metadata } = readImageJob(object);
      return describeRefusedJob({ settings, before, generation: metadata.generation, now: now(), reason, message });
    };
    await api.setStatus({ kind: 'ImageJob', object: raw }, statusOf, signal);
    recordEvent({ regarding: regarding(job), type: 'Warning', reason, action: 'Clean', note: message });
    log.warn('run refused', { job: job.metadata.name, reason, why: message });
    return {};
  }

  /** Since when it goes on, its status says; one that begins has none yet. Nothing waits for it: with the end it is told again. */
  #recordBeginning({ metadata, status }: ImageJob, run: RunKind, signal: AbortSignal): void {
    const { recordRun, now, log } = this.#context;
    const { uid, name } = metadata;
    const startedAt = status?.startTime === undefined ? now() : Date.parse(status.startTime);
    recordRun({ uid, name, run, startedAt, endedAt: null }, signal).catch((error: unknown) => {
      log.warn('the history does not know yet that a run has begun', { job: name, error: errorMessage(error) });
    });
  }

  /** Of a run that has begun. Rejects while the history cannot be written: the job, which says it, is kept until then. */
  async #recordEnd(job: ImageJob, signal: AbortSignal): Promise<void> {
    const { uid, name } = job.metadata;
    const { phase, desired = 0, startTime, completionTime } = job.status ?? {};
    const run = runKindOf(job);
    const hasBegun = phase === 'Completed' || desired > 0;
    if (run === null || !hasBegun || startTime === undefined || completionTime === undefined || this.#endRecorded.has(uid)) return;
    const [startedAt, endedAt] = [Date.parse(startTime), Date.parse(completionTime)];
    await this.#context.recordRun({ uid, name, run, startedAt, endedAt }, signal);
    this.#endRecorded.add(uid);
  }

  /** Once, unless the status of the job said so before this process came. */
  #tellStop(job: ImageJob, run: Run, stop: RunStop): void {
    const { recordEvent, log } = this.#context;
    run.isStopTold = true;
    if (job.status?.conditions?.some(({ type, status }) => type === 'FailureTarget' && status === 'True') === true) return;
    log.warn('run begins with no more nodes', { job: job.metadata.name, failed: stop.failed, nodes: stop.nodes });
    recordEvent({ regarding: regarding(job), type: 'Warning', reason: TOO_MANY_FAILED, action: 'Clean', note: describeStop(stop) });
  }

  #tellEnd(job: ImageJob, run: Run): void {
    const { recordEvent, log } = this.#context;
    run.isEndTold = true;
    const count = (kind: string): number => run.parts.flat().filter(({ record }) => record.kind === kind).length;
    const counts = { succeeded: count('succeeded'), failed: count('failed'), skipped: count('skipped') };
    log.info('run ended', { job: job.metadata.name, ...counts });
    const note = `${counts.succeeded} nodes succeeded, ${counts.failed} failed, ${counts.skipped} were skipped`;
    recordEvent({ regarding: regarding(job), type: counts.failed > 0 ? 'Warning' : 'Normal', reason: 'RunEnded', action: 'Clean', note });
  }

  /** The pods go together; then, in its time, the job itself, and with it all that it owns. */
  async #cleanUp({ job }: Observed, signal: AbortSignal): Promise<Reconciled> {
    const { api, pods, state, copies, historyLimit, now, monotonicNow, enqueue, log } = this.#context;
    const { name, uid } = job.metadata;
    const left = [...pods.of(uid).values()].filter(({ isBeingDeleted }) => !isBeingDeleted);
    const leavingMs = this.#leavingMs(job, left);
    const isAnyLeft = left.length > 0;
    if (isAnyLeft && leavingMs === 0 && monotonicNow() - (this.#clearedAt.get(uid) ?? -Infinity) >= CLEAR_AGAIN_MS) {
      // Thousands go one after another, and each that goes asks for a look.
      this.#clearedAt.set(uid, monotonicNow());
      await api.deleteAll('Pod', `${JOB_UID_LABEL}=${uid}`, signal);
    }
    pods.forget(uid);
    // One that cannot be read is told of under its own key, and keeps no other.
    const jobs = copies.imageJobs.values().flatMap((raw) => {
      const parsed = parseImageJob(raw);
      return parsed.ok ? [parsed.value] : [];
    });
    const isNews = this.#letGo(uid);
    // Older ones may now be too many.
    if (isNews) jobs.filter(hasEnded).forEach((other) => enqueue(KEYS.job(other.metadata.name)));
    await this.#recordEnd(job, signal);
    const { automatic, manual } = await state.read(signal);
    const cleanup = planCleanup({ job, jobs, isAwaited: [automatic?.job, manual?.job].includes(name), historyLimit, now: now() });
    if (cleanup.kind === 'delete' && leavingMs === 0) {
      await api.delete('ImageJob', { name, uid }, signal);
      log.info('job deleted', { job: name });
      return {};
    }
    const clearAfterMs = leavingMs > 0 ? leavingMs : CLEAR_AGAIN_MS;
    const lookAgainAfterMs = cleanup.kind === 'keep' ? cleanup.lookAgainAfterMs : null;
    const next = Math.min(lookAgainAfterMs ?? Infinity, isAnyLeft ? clearAfterMs : Infinity);
    return next === Infinity ? {} : { requeueAfterMs: next };
  }

  /** How long the containers of a run that is done have yet to end by themselves. */
  #leavingMs({ metadata: { uid }, status }: ImageJob, left: readonly PodFacts[]): number {
    if (status?.phase !== 'Completed' || !left.some(isLive)) {
      this.#leavingSince.delete(uid);
      return 0;
    }
    const now = this.#context.monotonicNow();
    const since = this.#leavingSince.get(uid) ?? now;
    this.#leavingSince.set(uid, since);
    return Math.max(0, since + LEAVING_MS - now);
  }

  /** A job that someone deleted; its pods and configmaps go with it. */
  #forget(name: string): void {
    const uids = new Set(this.#context.copies.imageJobs.values().map(({ metadata }) => metadata.uid));
    for (const known of [this.#clearedAt, this.#leavingSince, this.#takenUpAt, this.#endRecorded]) {
      for (const uid of known.keys()) if (!uids.has(uid)) known.delete(uid);
    }
    for (const [uid, { job }] of this.#runs) {
      if (job.name !== name) continue;
      this.#letGo(uid);
      this.#context.pods.forget(uid);
    }
  }

  #letGo(uid: string): boolean {
    const isKnown = this.#runs.delete(uid);
    if (this.#runs.size === 0) this.#context.nodes.forget();
    return isKnown;
  }
}

function stopOf({ parts, configuration }: Run): RunStop | null {
  const nodes = parts.flat();
  return findStop(nodes, countOfMaxFailed(configuration.maxFailed, nodes.filter(({ participating }) => participating !== null).length));
}

const NODES_LOST = { reason: 'RunLost', message: 'The run cannot begin: it is not known any more for which nodes it was.' };

const NOT_OURS = { reason: 'NotOfThisManager', message: 'Jobs are made by the manager. To have images removed, make an ImageList.' };

function regarding({ metadata: { name, uid } }: ImageJob): {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
} {
  return { apiVersion: 'eraser.sh/v1', kind: 'ImageJob', name, uid };
}
