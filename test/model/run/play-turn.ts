import { setImmediate as untilQuiet } from 'node:timers/promises';
import type { FoundRun } from '../../../src/controller/image-job/find-run.ts';
import { readPodFacts, type PodFacts } from '../../../src/controller/image-job/pod-facts.ts';
import { ImageJobReconciler, type ImageJobContext, type KnownOfJobs } from '../../../src/controller/image-job/reconcile-image-job.ts';
import { hasOutcome } from '../../../src/controller/image-job/node-records.ts';
import type { Run } from '../../../src/controller/image-job/run.ts';
import type { ClusterApi, Created } from '../../../src/controller/ports.ts';
import type { RawObject } from '../../../src/controller/raw-object.ts';
import { NEW_STATE, type ManagerState } from '../../../src/controller/state/manager-state.ts';
import { rememberingConfigurations } from '../../../src/core/cluster/accept-configuration.ts';
import { acceptedConfiguration, acceptInTest } from '../../fakes/cluster.ts';
import type { Texts } from '../texts.ts';
import { NOW, recallRun, recallTimes, rememberRun, rememberTimes } from './memory.ts';
import { jobOf, placeOf, rawJob, rawNode, rawPod, REMOVED, sha256, withVersion } from './raw-objects.ts';
import { RememberedPods } from './remembered-pods.ts';
import { indexOf, jobName, jobUid, nodeName, podUid } from './state.ts';
import type { ApiAnswer, Around, CallFacts, Heard, Memory, RunBounds } from './state.ts';

export interface PendingCall {
  readonly id: number;
  readonly facts: CallFacts;
  /** Of `set-status`: the status that a job of this status gets, both as JSON. */
  readonly statusOf: (status: string | null) => string;
}

/** What came of what a process has heard so far. */
export type Played = {
  /** By job, as the process would say to a worker. */
  readonly found: readonly FoundRun['kind'][];
  /** By job: whose outcome it has decided, or read. */
  readonly decided: readonly (readonly number[])[];
} & (
  | { readonly kind: 'calls'; readonly calls: readonly PendingCall[] }
  | { readonly kind: 'ended'; readonly memory: Memory; readonly requeueAfterMs: number | null; readonly failure: string | null }
);

type Size = Pick<RunBounds, 'nodes' | 'jobs' | 'maxParallel'>;
type Ask = (facts: CallFacts, statusOf?: PendingCall['statusOf']) => Promise<ApiAnswer>;

const MINUTE = 60_000;
/** It stands still: jobs that have ended are deleted as soon as they may be. */
const WALL = Date.UTC(2026, 0, 1);
const NEVER = new AbortController().signal;
const SILENT: ImageJobContext['log'] = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const CONFIGURATION = acceptedConfiguration({ imageJob: { cleanup: { delayOnSuccess: '0s', delayOnFailure: '0s' } } });
/** Alike where they may be, so that fewer times are to be told apart. */
const SETTINGS: ImageJobContext['settings'] = {
  maxParallel: null,
  timeouts: { startMs: 2 * MINUTE, runMs: 2 * MINUTE },
  nodeGraceMs: 4 * MINUTE,
  frame: {
    namespace: 'eraser-system',
    priorityClassName: null,
    seLinuxType: null,
    pullSecrets: [],
    coordinator: { url: 'https://coordinator:8443', audience: 'coordinator', caConfigMap: 'coordinator-ca' },
    scannerTemporaryBytes: 1024,
  },
};

/** A process that leads: the real reconciler of jobs, over an API whose answers come one by one. */
export class PlayTurns {
  readonly #size: Size;
  readonly #texts: Texts;
  readonly #acceptConfiguration = rememberingConfigurations(acceptInTest);
  /** By job: what of its run never changes. */
  readonly #frozen = new Map<number, Run>();
  readonly #looks = new Map<string, PodFacts>();

  constructor(size: Size, texts: Texts) {
    this.#size = size;
    this.#texts = texts;
  }

  /** `job` null: between turns. */
  async play(memory: Memory, job: number | null, around: Around, heard: readonly Heard[]): Promise<Played> {
    const pods = new RememberedPods(memory, this.#factsOf);
    const known = this.#recall(memory);
    const lies = { around };
    const pending = new Map<number, { readonly call: PendingCall; readonly resolve: (answer: ApiAnswer) => void }>();
    let calls = 0;
    const ask: Ask = (facts, statusOf = () => '') =>
      new Promise((resolve) => {
        const id = calls++;
        pending.set(id, { call: { id, facts, statusOf }, resolve });
      });
    const reconciler = new ImageJobReconciler({ ...this.#context(memory, lies, ask), api: this.#api(ask, lies), pods }, known);
    const end: { came: { readonly requeueAfterMs: number | null; readonly failure: string | null } | null } = { came: null };
    if (job !== null) {
      void reconciler.reconcile(jobName(job), NEVER).then(
        ({ requeueAfterMs = null }) => (end.came = { requeueAfterMs, failure: null }),
        (error: unknown) => (end.came = { requeueAfterMs: null, failure: error instanceof Error ? error.message : String(error) }),
      );
      await untilQuiet();
    }
    for (const one of heard) {
      lies.around = one.around;
      if (one.kind === 'results') {
        pods.noteReported({ job: jobUid(one.job), node: nodeName(one.node) }, REMOVED);
        continue;
      }
      const call = pending.get(one.id);
      if (call === undefined) throw new Error(`no call ${String(one.id)} is under way`);
      pending.delete(one.id);
      call.resolve(one.answer);
      await untilQuiet();
    }
    const found = Array.from({ length: this.#size.jobs }, (_, at) => reconciler.find(jobUid(at)).kind);
    const decided = Array.from({ length: this.#size.jobs }, (_, at) => {
      const nodes = known.runs.get(jobUid(at))?.parts.flat() ?? [];
      return nodes.flatMap(({ name, record }) => (hasOutcome(record) ? [indexOf(name)] : []));
    });
    if (end.came === null && job !== null) {
      if (pending.size === 0) throw new Error('a turn waits for what is none of its calls');
      return { kind: 'calls', found, decided, calls: [...pending.values()].map(({ call }) => call) };
    }
    if (pending.size > 0) throw new Error('a turn has ended before its calls');
    const { requeueAfterMs, failure } = end.came ?? { requeueAfterMs: null, failure: null };
    return { kind: 'ended', found, decided, memory: this.#remember(memory, pods, known), requeueAfterMs, failure };
  }

  readonly #factsOf = (look: string): PodFacts => {
    const facts = this.#looks.get(look) ?? readPodFacts(rawPod(look));
    this.#looks.set(look, facts);
    return facts;
  };

  #recall({ runs, leaving, cleared }: Memory): KnownOfJobs {
    const recalled = runs.flatMap((run, job) => {
      const frozen = this.#frozen.get(job);
      return run === null || frozen === undefined ? [] : [[jobUid(job), recallRun(run, frozen)] as const];
    });
    return { runs: new Map(recalled), leavingSince: recallTimes(leaving), clearedAt: recallTimes(cleared) };
  }

  #remember(before: Memory, pods: RememberedPods, { runs, leavingSince, clearedAt }: KnownOfJobs): Memory {
    const { jobs } = this.#size;
    const remembered = Array.from({ length: jobs }, (_, job) => {
      const run = runs.get(jobUid(job));
      if (run === undefined) return null;
      if (!this.#frozen.has(job)) this.#frozen.set(job, run);
      return rememberRun(run);
    });
    return {
      pods: before.pods,
      jobs: before.jobs,
      ...pods.remembered,
      runs: remembered,
      leaving: rememberTimes(leavingSince, jobs),
      cleared: rememberTimes(clearedAt, jobs),
    };
  }

  #context({ jobs }: Memory, lies: { readonly around: Around }, ask: Ask): Omit<ImageJobContext, 'api' | 'pods'> {
    const raw = jobs.flatMap((status, at) =>
      status === 'absent' ? [] : [rawJob(at, status === null ? null : this.#texts.textOf(status))],
    );
    return {
      copies: { imageJobs: { values: () => raw } },
      inputs: { gate: { kind: 'open', inputs: { configuration: CONFIGURATION, exclusions: [] } }, configuration: CONFIGURATION },
      state: { read: () => Promise.resolve(stateOf(lies.around)) },
      settings: { ...SETTINGS, maxParallel: { kind: 'count', count: this.#size.maxParallel } },
      namespace: SETTINGS.frame.namespace,
      ownExclusions: { name: 'image-cleaner', entries: [] },
      historyLimit: 10,
      acceptConfiguration: this.#acceptConfiguration,
      sha256,
      enqueue: () => undefined,
      recordEvent: () => undefined,
      recordRun: () => Promise.resolve(),
      readReported: async (uid) => {
        const answer = await ask({ op: 'read-history', job: indexOf(uid) });
        if (answer.is !== 'reported') throw new Error('the history is away');
        return new Map(answer.nodes.map((node) => [nodeName(node), REMOVED]));
      },
      log: SILENT,
      now: () => WALL,
      monotonicNow: () => NOW,
    };
  }

  #api(ask: Ask, lies: { readonly around: Around }): ClusterApi {
    const texts = this.#texts;
    return {
      // Nodes and workloads are read in the moment of the answer before.
      find: async (kind, name) => {
        if (kind === 'Node') return rawNode(indexOf(name), lies.around.nodes[indexOf(name)] ?? 'gone');
        const answer = await ask({ op: 'find-pod', ...placeOf(name) });
        if (answer.is !== 'found') throw new Error('the API server is away');
        return answer.look === null ? null : rawPod(answer.look);
      },
      list: async (kind, { labelSelector, trim }) => {
        if (kind === 'Node') return lies.around.nodes.flatMap((health, at) => rawNode(at, health) ?? []).map(trim);
        if (kind !== 'ConfigMap') return [];
        const answer = await ask({ op: 'list-maps', job: indexOf(labelSelector ?? '') });
        if (answer.is !== 'listed') throw new Error('the API server is away');
        return answer.maps.map((id) => trim(withVersion(JSON.parse(texts.textOf(id)) as RawObject, id)));
      },
      create: async (kind, object) => {
        const raw = object as RawObject;
        const { name } = raw.metadata;
        if (kind !== 'Pod') {
          const content = texts.idOf(JSON.stringify(raw));
          return created(await ask({ op: 'create-map', job: jobOf(raw), name, content }), (version) => withVersion(raw, version));
        }
        const place = placeOf(name);
        return created(await ask({ op: 'create-pod', ...place }), (copy) => ({
          ...raw,
          metadata: { ...raw.metadata, uid: podUid({ ...place, copy }) },
        }));
      },
      apply: async (object) => {
        const { resourceVersion, ...metadata } = object.metadata;
        const content = texts.idOf(JSON.stringify({ ...object, metadata }));
        const version = resourceVersion === undefined ? null : Number(resourceVersion);
        const answer = await ask({ op: 'apply-map', job: jobOf(object), name: metadata.name, content, version });
        if (answer.is !== 'applied') throw new Error('a conflict, or the API server is away');
        return withVersion(object, answer.version);
      },
      setStatus: async ({ object }, statusOf) => {
        const job = indexOf(object.metadata.name);
        done(await ask({ op: 'set-status', job }, (status) => JSON.stringify(statusOf(rawJob(job, status)))));
      },
      delete: async (kind, { name, uid }) => {
        done(
          await ask(kind === 'Pod' ? { op: 'delete-pod', ...placeOf(name), copy: indexOf(uid) } : { op: 'delete-job', job: indexOf(name) }),
        );
      },
      deleteAll: async (kind, selector) => {
        done(await ask({ op: kind === 'Pod' ? 'delete-pods' : 'delete-maps', job: indexOf(selector) }));
      },
    };
  }
}

function created(answer: ApiAnswer, objectOf: (version: number) => RawObject): Created {
  switch (answer.is) {
    case 'created':
      return { outcome: 'created', object: objectOf(answer.version) };
    case 'exists':
      return { outcome: 'exists' };
    case 'refused':
      return { outcome: 'refused', message: 'it is not admitted' };
    default:
      throw new Error('the API server is away');
  }
}

function done({ is }: ApiAnswer): void {
  if (is !== 'done') throw new Error('the API server is away');
}

/** Whose end has yet to be put on record: of each kind of run there is one at a time. */
function stateOf({ awaited: [first = false, second = false] }: Around): ManagerState {
  const intent = (job: number): { readonly job: string; readonly stage: 'created' } => ({ job: jobName(job), stage: 'created' });
  const list = { uid: 'list', generation: 1 };
  return { ...NEW_STATE, hasCleaned: true, automatic: first ? intent(0) : null, manual: second ? { ...intent(1), list } : null };
}
