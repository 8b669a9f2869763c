import { hasOutcome } from '../../../src/controller/image-job/node-records.ts';
import type { Step } from '../explore.ts';
import type { Texts } from '../texts.ts';
import { type ApiServer, deleting, withJob, withoutPod, withPod, type CarriedOut } from './carry-out.ts';
import { memoryAfter } from './memory.ts';
import type { PendingCall, Played, PlayTurns } from './play-turn.ts';
import { lookOf, podNameOf } from './raw-objects.ts';
import type { Recorded } from './record-results.ts';
import { withReported } from './remembered-pods.ts';
import { indexOf, jobName, nodeName, pairOf, podUid } from './state.ts';
import type {
  Acknowledged,
  Around,
  CallFacts,
  Fault,
  Heard,
  LateCall,
  Leader,
  Memory,
  NodeHealth,
  Pod,
  RunBounds,
  State,
} from './state.ts';

/** Who does it: what goes on by itself is told from what goes wrong, and from time that passes. */
export type Actor = 'network' | 'manager' | 'requester' | 'cluster' | 'kubelet' | 'time' | 'silence' | 'fault';

export interface RunStep extends Step<State> {
  readonly by: Actor;
}

/** A turn that failed is taken again. */
const RETRY_MS = 1_000;
const LONGEST_STOP_MS = 90_000;

export interface StepsOptions {
  readonly bounds: RunBounds;
  readonly turns: PlayTurns;
  readonly api: ApiServer;
  readonly texts: Texts;
  readonly recordResults: (pod: Pod, before: number | null) => Promise<Recorded>;
}

/** All that may happen to a run. */
export class RunSteps {
  readonly #options: StepsOptions;
  readonly #played = new Map<string, Played>();
  readonly #recorded = new Map<string, Recorded>();

  constructor(options: StepsOptions) {
    this.#options = options;
  }

  async of(state: State): Promise<RunStep[]> {
    if (state.isSilent)
      return (await this.#all(state))
        .filter(({ by }) => SILENT.includes(by))
        .sort(bySilence)
        .slice(0, 1);
    const steps = await this.#all(state);
    const isBusy = steps.some(({ by }) => by === 'kubelet');
    const all = steps.flatMap((one) => (one.by === 'time' && isBusy ? waiting(one, state) : [one]));
    return [...all, step('silence', 'no kubelet answers any more', { ...state, isSilent: true, faultsLeft: 0, waitsLeft: 0 })];
  }

  async #all(state: State): Promise<RunStep[]> {
    const played = await this.#playedOf(state.leader, aroundOf(state));
    const steps = [
      ...state.late.flatMap((call, at) => this.#lands(state, call, at)),
      ...state.leader.untold.flatMap((name) => this.#tells(state, name)),
      ...(played.kind === 'calls' ? played.calls.flatMap((call) => this.#answers(state, call)) : []),
      ...(await this.#turns(state)),
      ...this.#requester(state),
      ...this.#collects(state),
      ...this.#nodes(state),
      ...(await this.#pods(state, played)),
      ...this.#time(state),
      ...this.#leaderChanges(state, played),
    ];
    return Promise.all(steps.map(async (one) => ({ ...one, next: await this.#settled(one.next) })));
  }

  memoryOf({ memory }: Leader): Memory {
    return JSON.parse(this.#options.texts.textOf(memory)) as Memory;
  }

  remember(memory: Memory): number {
    return this.#options.texts.idOf(JSON.stringify(memory));
  }

  /** Looked at from here: what the process would do next. */
  async #playedOf({ memory, turn }: Leader, around: Around): Promise<Played> {
    const key = JSON.stringify([memory, turn]);
    const known = this.#played.get(key);
    if (known !== undefined) return known;
    const recalled = JSON.parse(this.#options.texts.textOf(memory)) as Memory;
    const played = await this.#options.turns.play(recalled, turn?.job ?? null, turn?.around ?? around, turn?.heard ?? []);
    this.#played.set(key, played);
    return played;
  }

  #may(state: State, fault: Fault): boolean {
    return state.faultsLeft > 0 && this.#options.bounds.may.includes(fault);
  }

  /** A call of a process that leads no more is carried out. */
  #lands(state: State, call: LateCall, at: number): RunStep[] {
    const without = { ...state, late: state.late.filter((_, other) => other !== at) };
    const { state: landed, broken } = this.#options.api.carryOutLate(without, call);
    // What the leader before has decided of its nodes holds, whatever was heard of them since.
    const next = call.op === 'apply-map' ? this.#forgetting(landed, (pair) => this.#isPairOnRecord(landed, pair)) : landed;
    return [step('network', `of a leader before, late: ${describeCall(call)}`, next, broken)];
  }

  /** The process that leads is told of a change, between turns. */
  #tells(state: State, name: string): RunStep[] {
    return state.leader.turn === null ? [step('network', `the leader is told of ${name}`, this.#told(state, name))] : [];
  }

  #told(state: State, name: string): State {
    const { leader } = state;
    const memory = this.memoryOf(leader);
    const untold = leader.untold.filter((other) => other !== name);
    if (name.startsWith('job-')) {
      const job = indexOf(name);
      const jobs = memory.jobs.map((status, at) => (at === job ? statusIn(state, job) : status));
      return { ...state, leader: { ...leader, untold, memory: this.remember({ ...memory, jobs }), queue: asked(leader.queue, [job]) } };
    }
    const others = Object.fromEntries(Object.entries(memory.pods).filter(([other]) => other !== name));
    const pod = state.pods[name];
    const pods = pod === undefined ? others : sortedLooks({ ...others, [name]: lookOf(pod) });
    const made = memory.made.map((one) => (one.name === name ? { ...one, isSeen: true } : one));
    // A run may wait for the pod of another.
    const known = memory.jobs.flatMap((status, job) => (status === 'absent' ? [] : [job]));
    return { ...state, leader: { ...leader, untold, memory: this.remember({ ...memory, pods, made }), queue: asked(leader.queue, known) } };
  }

  /** A call of its turn is carried out and answered, or is not. */
  #answers(state: State, call: PendingCall): RunStep[] {
    const { api } = this.#options;
    const said = describeCall(call.facts);
    const { state: next, answer, broken } = api.carryOut(state, call.facts, call.statusOf);
    const steps = [step('manager', said, heard(next, call.id, answer), broken)];
    const isWrite = !READS.includes(call.facts.op);
    if (isWrite && this.#may(state, 'lost-answer')) {
      steps.push(step('fault', `${said}, and the answer is lost`, worse(heard(next, call.id, { is: 'error' })), broken));
    }
    if (this.#may(state, 'lost-call')) steps.push(step('fault', `not carried out: ${said}`, worse(heard(state, call.id, { is: 'error' }))));
    if (call.facts.op === 'create-pod' && this.#may(state, 'refused')) {
      steps.push(step('fault', `not admitted: ${said}`, worse(heard(state, call.id, { is: 'refused' }))));
    }
    return steps;
  }

  /** It ends the turn of which nothing is under way any more, or begins the next one. */
  async #turns(state: State): Promise<RunStep[]> {
    const { leader } = state;
    if (leader.turn !== null) return [];
    return Promise.all(
      leader.queue.flatMap((due, job) => {
        if (due !== 0) return [];
        const queue = leader.queue.map((other, at) => (at === job ? null : other));
        const begun = { ...state, leader: { ...leader, queue, turn: { job, around: aroundOf(state), heard: [] } } };
        return [this.#settled(begun).then((next) => step('manager', `the leader looks at ${jobName(job)}`, next))];
      }),
    );
  }

  /** A turn in which nothing is under way is over; then it is told of what has changed, unless that may take longer. */
  async #settled(state: State): Promise<State> {
    const { leader } = state;
    if (leader.turn === null) return this.#upToDate(state);
    const played = await this.#playedOf(leader, aroundOf(state));
    if (played.kind === 'calls') return state;
    const { job } = leader.turn;
    const againMs = played.failure === null ? played.requeueAfterMs : RETRY_MS;
    const queue = leader.queue.map((due, at) => (at === job ? sooner(due, againMs) : due));
    return this.#upToDate({ ...state, leader: { ...leader, memory: this.remember(played.memory), queue, turn: null } });
  }

  #upToDate(state: State): State {
    if (this.#options.bounds.mayLag) return state;
    return state.leader.untold.reduce((next, name) => this.#told(next, name), state);
  }

  /** Who has asked for a run takes note of its end. */
  #requester(state: State): RunStep[] {
    return state.jobs.flatMap((job, at) => {
      if (!job.isAwaited || !job.hasEnded) return [];
      const next = withJob(state, at, { isAwaited: false });
      return [
        step('requester', `the end of ${jobName(at)} is on record`, {
          ...next,
          leader: { ...next.leader, queue: asked(next.leader.queue, [at]) },
        }),
      ];
    });
  }

  /** What a job owns goes with it, and what was on a node goes with the node. */
  #collects(state: State): RunStep[] {
    return Object.entries(state.pods).flatMap(([name, pod]) => {
      const steps: RunStep[] = [];
      if (state.nodes[pod.node] === 'gone') steps.push(step('cluster', `${name} goes with its node`, withoutPod(meddle(state, pod), name)));
      if (state.jobs[pod.job]?.exists !== true && !pod.isDeleting)
        steps.push(step('cluster', `${name} goes with its job`, deleting(state, [name])));
      return steps;
    });
  }

  #nodes(state: State): RunStep[] {
    return state.nodes.flatMap((health, node) => {
      const to = (now: NodeHealth): State => ({ ...state, nodes: state.nodes.map((other, at) => (at === node ? now : other)) });
      const steps: RunStep[] = [];
      if (health === 'away') steps.push(step('kubelet', `the kubelet of ${nodeName(node)} answers again`, to('ready')));
      if (health === 'ready' && this.#may(state, 'node-away')) {
        steps.push(step('fault', `the kubelet of ${nodeName(node)} does not answer`, worse(to('away'))));
      }
      if (health !== 'gone' && this.#may(state, 'node-gone')) {
        steps.push(step('fault', `${nodeName(node)} is deleted`, worse(to('gone'))));
      }
      return steps;
    });
  }

  async #pods(state: State, played: Played): Promise<RunStep[]> {
    const steps = await Promise.all(Object.entries(state.pods).map(([name, pod]) => this.#pod(state, played, { name, pod })));
    return steps.flat();
  }

  async #pod(state: State, played: Played, { name, pod }: { readonly name: string; readonly pod: Pod }): Promise<RunStep[]> {
    const steps: RunStep[] = [];
    const isReady = state.nodes[pod.node] === 'ready';
    if (isReady && pod.isDeleting) steps.push(step('kubelet', `${name} is gone`, withoutPod(state, name)));
    if (isReady && pod.at === 'new' && !pod.isDeleting)
      steps.push(step('kubelet', `${name} starts`, withPod(state, name, { at: 'running' })));
    const isAtWork = pod.at === 'running' && (pod.told === 'no' || pod.told === 'recorded');
    if (isReady && isAtWork) steps.push(...(await this.#reports(state, played, { name, pod })));
    if (isReady && pod.at === 'running' && pod.told === 'acknowledged') {
      steps.push(step('kubelet', `${name} has succeeded`, withPod(state, name, { at: 'succeeded' })));
    }
    const isToFail = pod.at === 'failing' || (pod.at === 'running' && (pod.told === 'refused' || pod.isDeleting));
    if (isReady && isToFail) steps.push(step('kubelet', `${name} has failed`, withPod(state, name, { at: 'failed' })));
    if (isReady && pod.at === 'running' && !isToFail && this.#may(state, 'pod-fails')) {
      steps.push(step('fault', `${name} has failed`, worse(withPod(state, name, { at: 'failed' }))));
    }
    if (isReady && pod.at === 'running' && this.#may(state, 'container-fails')) {
      steps.push(step('fault', `a container of ${name} has failed`, worse(withPod(state, name, { at: 'failing' }))));
    }
    if (!pod.isDeleting && this.#may(state, 'deleted')) {
      steps.push(step('fault', `somebody deletes ${name}`, worse(deleting(meddle(state, pod), [name]))));
    }
    return steps;
  }

  /** The worker tells what it has removed, to whom it reaches. */
  async #reports(state: State, played: Played, { name, pod }: { readonly name: string; readonly pod: Pod }): Promise<RunStep[]> {
    const steps: RunStep[] = [];
    const pair = pairOf(pod.job, pod.node);
    const before = state.history[pair] ?? null;
    const { is, isTold } = await this.#recordedOf(pod, before);
    const acknowledged = withPod(withHistory(state, pod, is), name, { told: is === 'refused' ? 'refused' : 'acknowledged' });
    const isInTime = !(played.decided[pod.job]?.includes(pod.node) ?? false) && !this.#isOnRecord(state, pod);
    const witnessed = is === 'refused' ? acknowledged : witness(acknowledged, pod, isInTime ? 'in-time' : 'too-late');
    const found = played.found[pod.job];
    if (found === 'goes-on') {
      const told = isTold ? this.#noted(witnessed, pod) : witnessed;
      steps.push(step('kubelet', `the coordinator takes the results of ${name}`, told));
      if (is === 'recorded' && this.#may(state, 'lost-acknowledgement')) {
        const unheard = this.#noted(withPod(withHistory(state, pod, is), name, { told: 'recorded' }), pod);
        steps.push(step('fault', `the coordinator takes the results of ${name}, which does not hear of it`, worse(unheard)));
      }
    } else if (found === 'over') {
      steps.push(step('kubelet', `the run of ${name} is over, it is told`, withPod(state, name, { told: 'refused' })));
    }
    if (state.isOldHeard)
      steps.push(
        step(
          'network',
          `the leader before takes the results of ${name}`,
          is === 'refused' ? acknowledged : witness(acknowledged, pod, 'forgotten'),
        ),
      );
    return steps;
  }

  /** The process that leads takes note of results that are on record, in a turn or between two. */
  #noted(state: State, pod: Pod): State {
    const { leader } = state;
    const queue = asked(leader.queue, [pod.job]);
    if (leader.turn !== null) {
      const results: Heard = { kind: 'results', job: pod.job, node: pod.node, around: aroundOf(state) };
      return { ...state, leader: { ...leader, queue, turn: { ...leader.turn, heard: [...leader.turn.heard, results] } } };
    }
    const memory = this.memoryOf(leader);
    const reported = withReported(memory.reported, pod);
    return { ...state, leader: { ...leader, queue, memory: this.remember({ ...memory, reported }) } };
  }

  /** What was acknowledged in time is, for these, known no more to who decides. */
  #forgetting(state: State, isForgotten: (pair: string) => boolean): State {
    const entries = Object.entries(state.seen.acknowledged);
    const acknowledged = entries.map(([pair, when]) => [pair, when === 'in-time' && isForgotten(pair) ? 'forgotten' : when] as const);
    return { ...state, seen: { ...state.seen, acknowledged: Object.fromEntries(acknowledged) } };
  }

  #isPairOnRecord(state: State, pair: string): boolean {
    const [job, node] = pair.split('/').map(Number);
    return job !== undefined && node !== undefined && this.#isOnRecord(state, { job, node });
  }

  #isOnRecord({ jobs }: State, { job, node }: Pick<Pod, 'job' | 'node'>): boolean {
    const own = jobs[job];
    const record = own === undefined ? undefined : this.#options.api.recordsOf(own, job)?.get(node);
    return record !== undefined && hasOutcome(record);
  }

  async #recordedOf(pod: Pod, before: number | null): Promise<Recorded> {
    const key = `${podUid(pod)} ${String(before)}`;
    const recorded = this.#recorded.get(key) ?? (await this.#options.recordResults(pod, before));
    this.#recorded.set(key, recorded);
    return recorded;
  }

  /** Until the process that leads is to look again, when nothing is under way that takes less than any of its times. */
  #time(state: State): RunStep[] {
    const { leader } = state;
    const due = leader.queue.filter((ms) => ms !== null);
    if (leader.turn !== null || leader.untold.length > 0 || due.length === 0 || due.includes(0)) return [];
    const ms = Math.min(...due);
    const queue = leader.queue.map((other) => (other === null ? null : other - ms));
    const pods = Object.entries(state.pods).map(([name, pod]) => [name, pod.isDeleting ? later(pod, ms) : pod] as const);
    const memory = this.remember(memoryAfter(this.memoryOf(leader), ms));
    return [
      step('time', `${String(ms / 1_000)} s pass`, { ...state, pods: Object.fromEntries(pods), leader: { ...leader, memory, queue } }),
    ];
  }

  #leaderChanges(state: State, played: Played): RunStep[] {
    if (!this.#may(state, 'leader')) return [];
    const { leader } = state;
    const memory: Memory = {
      pods: sortedLooks(Object.fromEntries(Object.entries(state.pods).map(([name, pod]) => [name, lookOf(pod)]))),
      jobs: state.jobs.map((_, job) => statusIn(state, job)),
      made: [],
      reported: [],
      runs: state.jobs.map(() => null),
      leaving: state.jobs.map(() => null),
      cleared: state.jobs.map(() => null),
    };
    const queue = state.jobs.map(({ exists }) => (exists ? 0 : null));
    const isOldHeard = state.isOldHeard || this.#options.bounds.may.includes('old-coordinator');
    const next: State = worse({ ...state, isOldHeard, leader: { memory: this.remember(memory), untold: [], queue, turn: null } });
    const steps = [step('fault', 'another process leads', next)];
    const late =
      played.kind === 'calls' && this.#may(state, 'late-calls') ? played.calls.flatMap((call) => this.#lateCall(state, leader, call)) : [];
    if (late.length > 0) {
      const said = late.map(describeCall).join(', ');
      steps.push(step('fault', `another process leads, while on its way is: ${said}`, { ...next, late: [...state.late, ...late] }));
    }
    return steps;
  }

  #lateCall(state: State, leader: Leader, { facts, statusOf }: PendingCall): LateCall[] {
    if (facts.op === 'find-pod' || facts.op === 'list-maps' || facts.op === 'read-history') return [];
    if (facts.op !== 'set-status') return [facts];
    const [from = null] = this.memoryOf(leader).jobs.slice(facts.job);
    const { texts } = this.#options;
    if (from === 'absent' || state.jobs[facts.job]?.status !== from) return [];
    return [{ ...facts, from, to: texts.idOf(statusOf(from === null ? null : texts.textOf(from))) }];
  }
}

function step(by: Actor, label: string, next: State, broken: CarriedOut['broken'] = null): RunStep {
  return { by, label, next, ...(broken === null ? {} : { broken }) };
}

const READS: readonly CallFacts['op'][] = ['find-pod', 'list-maps', 'read-history'];

const SILENT: readonly Actor[] = ['network', 'manager', 'requester', 'cluster', 'time'];

function bySilence(one: RunStep, other: RunStep): number {
  return SILENT.indexOf(one.by) - SILENT.indexOf(other.by);
}

function waiting(one: RunStep, { waitsLeft }: State): RunStep[] {
  return waitsLeft === 0 ? [] : [{ ...one, next: { ...one.next, waitsLeft: waitsLeft - 1 } }];
}

function worse(state: State): State {
  return { ...state, faultsLeft: state.faultsLeft - 1 };
}

function heard(state: State, id: number, answer: (Heard & { readonly kind: 'answer' })['answer']): State {
  const { leader } = state;
  if (leader.turn === null) throw new Error('an answer without a turn');
  const one: Heard = { kind: 'answer', id, answer, around: aroundOf(state) };
  return { ...state, leader: { ...leader, turn: { ...leader.turn, heard: [...leader.turn.heard, one] } } };
}

export function aroundOf({ nodes, jobs }: Pick<State, 'nodes' | 'jobs'>): Around {
  return { nodes, awaited: jobs.map(({ isAwaited }) => isAwaited) };
}

function statusIn({ jobs }: State, job: number): number | null | 'absent' {
  const one = jobs[job];
  return one?.exists === true ? one.status : 'absent';
}

function asked(queue: Leader['queue'], jobs: readonly number[]): Leader['queue'] {
  return queue.map((due, job) => (jobs.includes(job) ? 0 : due));
}

function sooner(one: number | null, other: number | null): number | null {
  return one === null || other === null ? (one ?? other) : Math.min(one, other);
}

function later(pod: Pod, ms: number): Pod {
  return { ...pod, deletingMs: Math.min(pod.deletingMs + ms, LONGEST_STOP_MS) };
}

function meddle(state: State, { job, node }: Pod): State {
  return { ...state, seen: { ...state.seen, meddled: { ...state.seen.meddled, [pairOf(job, node)]: true } } };
}

function witness(state: State, { job, node }: Pod, when: Acknowledged): State {
  const pair = pairOf(job, node);
  const { seen } = state;
  return seen.acknowledged[pair] !== undefined
    ? state
    : { ...state, seen: { ...seen, acknowledged: { ...seen.acknowledged, [pair]: when } } };
}

function withHistory(state: State, { job, node, copy }: Pod, is: Recorded['is']): State {
  return is === 'recorded' ? { ...state, history: { ...state.history, [pairOf(job, node)]: copy } } : state;
}

function sortedLooks(looks: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(looks).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function describeCall(facts: CallFacts | LateCall): string {
  switch (facts.op) {
    case 'create-pod':
      return `make ${podNameOf(facts.job, facts.node)}`;
    case 'find-pod':
      return `look for ${podNameOf(facts.job, facts.node)}`;
    case 'delete-pod':
      return `delete ${podNameOf(facts.job, facts.node)}`;
    case 'create-map':
      return `store ${facts.name}`;
    case 'apply-map':
      return `put on record ${facts.name}`;
    case 'delete-pods':
      return `delete the pods of ${jobName(facts.job)}`;
    case 'delete-maps':
      return `throw away what ${jobName(facts.job)} has stored`;
    case 'delete-job':
      return `delete ${jobName(facts.job)}`;
    case 'list-maps':
      return `read what ${jobName(facts.job)} has stored`;
    case 'read-history':
      return `read what is in the history of ${jobName(facts.job)}`;
    case 'set-status':
      return `set the status of ${jobName(facts.job)}`;
  }
}
