import type { ImageJobStatus } from '../../../src/api/image-job.ts';
import { hasOutcome, parseNodes, type NodeRecord } from '../../../src/controller/image-job/node-records.ts';
import type { RawObject } from '../../../src/controller/raw-object.ts';
import type { Texts } from '../texts.ts';
import type { PendingCall } from './play-turn.ts';
import { lookOf, podNameOf } from './raw-objects.ts';
import { indexOf, jobName, pairOf, type ApiAnswer, type CallFacts, type Job, type LateCall, type Pod, type State } from './state.ts';

export interface CarriedOut {
  readonly state: State;
  readonly answer: ApiAnswer;
  /** What the call itself breaks; null: nothing. */
  readonly broken: string | null;
}

/** Up to when a pod that was told to go keeps its place. */
const STOPPING_MS = 90_000;

export interface ApiServerOptions {
  readonly texts: Texts;
  readonly maxParallel: number;
}

/** What the API server does of a call, and which property of a run that breaks. */
export class ApiServer {
  readonly #texts: Texts;
  readonly #maxParallel: number;
  readonly #parsed = new Map<number, ReadonlyMap<number, NodeRecord>>();

  constructor({ texts, maxParallel }: ApiServerOptions) {
    this.#texts = texts;
    this.#maxParallel = maxParallel;
  }

  carryOut(state: State, facts: CallFacts, statusOf: PendingCall['statusOf']): CarriedOut {
    return this.#carryOut(state, facts, { statusOf, isLate: false });
  }

  /** By a process that leads no more: what it was refused, it does not try again. */
  carryOutLate(state: State, { from, to, ...facts }: LateCall): CarriedOut {
    const job = state.jobs[facts.job];
    if (facts.op === 'set-status' && (to === undefined || job?.exists !== true || job.status !== from)) return done(state);
    return this.#carryOut(state, facts, { statusOf: () => (to === undefined ? '' : this.#texts.textOf(to)), isLate: true });
  }

  /** What is on record, by node; null: nothing is frozen yet. */
  recordsOf({ maps }: Pick<Job, 'maps'>, job: number): ReadonlyMap<number, NodeRecord> | null {
    const id = maps[`${jobName(job)}-nodes-0`];
    return id === undefined ? null : this.#parse(id);
  }

  statusOf({ status }: Pick<Job, 'status'>): ImageJobStatus {
    return status === null ? {} : (JSON.parse(this.#texts.textOf(status)) as ImageJobStatus);
  }

  #parse(id: number): ReadonlyMap<number, NodeRecord> {
    const known = this.#parsed.get(id);
    if (known !== undefined) return known;
    const nodes = parseNodes((JSON.parse(this.#texts.textOf(id)) as RawObject & { readonly data: Record<string, string> }).data);
    if (!nodes.ok) throw new Error('what is on record cannot be read');
    const records = new Map(nodes.value.map(({ name, record }) => [indexOf(name), record]));
    this.#parsed.set(id, records);
    return records;
  }

  #carryOut(
    state: State,
    facts: CallFacts,
    { statusOf, isLate }: { readonly statusOf: PendingCall['statusOf']; readonly isLate: boolean },
  ): CarriedOut {
    const job = state.jobs[facts.job];
    if (job === undefined) throw new Error(`there is no job ${String(facts.job)}`);
    switch (facts.op) {
      case 'create-pod':
        return this.#createPod(state, facts, isLate);
      case 'find-pod': {
        const pod = state.pods[podNameOf(facts.job, facts.node)];
        return { state, answer: { is: 'found', look: pod === undefined ? null : lookOf(pod) }, broken: null };
      }
      case 'delete-pod': {
        const name = podNameOf(facts.job, facts.node);
        const pod = state.pods[name];
        if (pod?.copy !== facts.copy) return done(state);
        const record = this.recordsOf(job, facts.job)?.get(facts.node);
        // Without any record, a call that came late has thrown all of them away.
        const isKnown = !job.exists || job.hasEnded || record === undefined || hasOutcome(record);
        return { ...done(deleting(state, [name])), broken: isKnown ? null : 'a pod is deleted before what came of its node is on record' };
      }
      case 'delete-pods': {
        const names = Object.keys(state.pods).filter((name) => state.pods[name]?.job === facts.job);
        return { ...done(deleting(state, names)), broken: job.hasEnded ? null : 'the pods of a run that goes on are deleted' };
      }
      case 'create-map':
        if (job.maps[facts.name] !== undefined) return { state, answer: { is: 'exists' }, broken: null };
        return { state: this.#withMap(state, facts), answer: { is: 'created', version: facts.content }, broken: null };
      case 'apply-map':
        return this.#apply(state, facts);
      case 'delete-maps': {
        // A status that comes late may say meanwhile that it has begun: none of its pods is made before what it goes by is stored again.
        const hasPods = Object.values(state.pods).some((pod) => pod.job === facts.job);
        const broken = hasPods && !isLate ? 'what a run goes by is thrown away when it has pods' : null;
        return { ...done(withJob(state, facts.job, { maps: {} })), broken };
      }
      case 'delete-job': {
        const broken = !job.hasEnded
          ? 'a job is deleted before its end'
          : job.isAwaited
            ? 'a job is deleted before its end is on record'
            : null;
        const gone = withJob(state, facts.job, { exists: false, status: null, maps: {} });
        return { ...done(job.exists ? { ...gone, leader: toTell(gone.leader, jobName(facts.job)) } : state), broken };
      }
      case 'read-history': {
        const nodes = state.nodes.flatMap((_, node) => (state.history[pairOf(facts.job, node)] === undefined ? [] : [node]));
        return { state, answer: { is: 'reported', nodes }, broken: null };
      }
      case 'list-maps':
        return { state, answer: { is: 'listed', maps: Object.values(job.maps) }, broken: null };
      case 'set-status':
        return job.exists ? this.#setStatus(state, facts.job, statusOf) : done(state);
    }
  }

  #createPod(state: State, { job, node }: { readonly job: number; readonly node: number }, isLate: boolean): CarriedOut {
    const name = podNameOf(job, node);
    if (state.pods[name] !== undefined) return { state, answer: { is: 'exists' }, broken: null };
    const pair = pairOf(job, node);
    const copy = state.seen.made[pair] ?? 0;
    const pod: Pod = { job, node, copy, at: 'new', isDeleting: false, deletingMs: 0, told: 'no', isLate };
    const made: State = {
      ...state,
      pods: sorted({ ...state.pods, [name]: pod }),
      leader: toTell(state.leader, name),
      seen: { ...state.seen, made: { ...state.seen.made, [pair]: copy + 1 } },
    };
    return { state: made, answer: { is: 'created', version: copy }, broken: this.#brokenByPod(made, pod) };
  }

  #brokenByPod(state: State, { job, node, copy, isLate }: Pod): string | null {
    const own = state.jobs[job];
    const record = own === undefined ? undefined : this.recordsOf(own, job)?.get(node);
    if (record !== undefined && hasOutcome(record) && !isLate) return 'a pod is made for a node whose outcome is on record';
    if (copy > 0 && !isLate && state.seen.meddled[pairOf(job, node)] === undefined)
      return 'a node gets a second pod, though nobody deleted the first';
    if (own?.status === null && own.exists) return 'a pod is made before its run has begun';
    const here = Object.values(state.pods).filter((pod) => pod.job === job && isWorking(pod));
    const late = here.filter((pod) => pod.isLate).length;
    return here.length - late > this.#maxParallel ? 'more nodes are in flight than may be' : null;
  }

  #apply(state: State, facts: CallFacts & { readonly op: 'apply-map' }): CarriedOut {
    const before = state.jobs[facts.job]?.maps[facts.name];
    if (before === undefined || (facts.version !== null && facts.version !== before))
      return { state, answer: { is: 'error' }, broken: null };
    const then = this.#parse(before);
    const now = this.#parse(facts.content);
    const isRewritten = [...then].some(([node, record]) => hasOutcome(record) && JSON.stringify(now.get(node)) !== JSON.stringify(record));
    const broken = isRewritten ? 'an outcome that is on record is written over' : null;
    return { state: this.#withMap(state, facts), answer: { is: 'applied', version: facts.content }, broken };
  }

  #withMap(state: State, { job, name, content }: { readonly job: number; readonly name: string; readonly content: number }): State {
    return withJob(state, job, { maps: sorted({ ...state.jobs[job]?.maps, [name]: content }) });
  }

  #setStatus(state: State, job: number, statusOf: PendingCall['statusOf']): CarriedOut {
    const { status } = state.jobs[job] ?? { status: null };
    const text = statusOf(status === null ? null : this.#texts.textOf(status));
    const { phase } = JSON.parse(text) as ImageJobStatus;
    const to = this.#texts.idOf(text);
    if (to === status) return done(state);
    const next = withJob(state, job, { status: to, hasEnded: phase === 'Completed' || phase === 'Failed' });
    return done({ ...next, leader: toTell(next.leader, jobName(job)) });
  }
}

function done(state: State): CarriedOut {
  return { state, answer: { is: 'done' }, broken: null };
}

export function withJob(state: State, job: number, fields: Partial<Job>): State {
  return { ...state, jobs: state.jobs.map((one, at) => (at === job ? { ...one, ...fields } : one)) };
}

export function withPod(state: State, name: string, fields: Partial<Pod>): State {
  const pod = state.pods[name];
  if (pod === undefined) return state;
  const changed = { ...pod, ...fields };
  const next = { ...state, pods: { ...state.pods, [name]: changed } };
  return lookOf(changed) === lookOf(pod) ? next : { ...next, leader: toTell(state.leader, name) };
}

export function withoutPod(state: State, name: string): State {
  const pods = Object.fromEntries(Object.entries(state.pods).filter(([other]) => other !== name));
  return { ...state, pods, leader: toTell(state.leader, name) };
}

export function deleting(state: State, names: readonly string[]): State {
  return names.reduce((next, name) => (next.pods[name]?.isDeleting === true ? next : withPod(next, name, { isDeleting: true })), state);
}

/** Something has changed that is watched. */
export function toTell(leader: State['leader'], name: string): State['leader'] {
  return leader.untold.includes(name) ? leader : { ...leader, untold: [...leader.untold, name].sort() };
}

/** Its containers may run. */
export function isLive({ at }: Pod): boolean {
  return at !== 'succeeded' && at !== 'failed';
}

/** It has work to do yet, and was not given up. */
function isWorking(pod: Pod): boolean {
  return isLive(pod) && (pod.told === 'no' || pod.told === 'refused') && !(pod.isDeleting && pod.deletingMs >= STOPPING_MS);
}

function sorted<Value>(record: Readonly<Record<string, Value>>): Record<string, Value> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}
