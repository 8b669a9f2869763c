import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { countImages, makeContents } from '../../bench/fleet.ts';
import { managerRequests, startManager, startWorkers, type RunningManager } from '../../bench/cluster/simulated-run.ts';
import { RunWatch, type EndedRun } from '../../bench/cluster/run-watch.ts';
import type { RandomSource } from '../../bench/random-source.ts';
import { startTrivyStandIn } from '../../bench/trivy-stand-in.ts';
import { AUTOMATIC, MANUAL } from '../../lab/installation.ts';
import { kubectlWith } from '../../lab/kubectl.ts';
import { startPostgres, type Postgres } from '../../lab/postgres.ts';
import { startSimulatedCluster, type SimulatedCluster } from '../../lab/simulated-cluster.ts';
import { startTcpGate, type TcpGate } from '../cluster/tcp-gate.ts';
import { FALSE_PART } from './lying-worker.ts';
import { historyInFile, type RunHistory } from './run-history.ts';

/** What may go wrong in the middle of a run. */
export interface Fault {
  readonly name: string;
  /** Before the run, and before its manager. */
  readonly stage: (at: FaultStage) => Promise<StagedFault>;
}

export interface FaultStage {
  readonly cluster: SimulatedCluster;
  /** The output of a call that has succeeded. */
  readonly kubectl: (args: readonly string[]) => Promise<string>;
  /** The same for all runs. */
  readonly postgres: () => Promise<Postgres>;
}

/** What a run has that others have not, and what befalls it. */
export interface StagedFault {
  /** Once the run has begun; until the fault is over. */
  readonly happen: (site: RunUnderWay) => Promise<void>;
  /** How many images may be read twice by it. */
  readonly mostReadTwice?: number;
  readonly history?: RunHistory;
  /** Of its managers. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Where managers find the API server, if not itself. */
  readonly apiPort?: number;
  /** After the managers have ended. */
  readonly close?: () => Promise<void>;
}

/** One that needs nothing beforehand. */
export function inAnyRun(name: string, happen: StagedFault['happen']): Fault {
  return { name, stage: () => Promise.resolve({ happen }) };
}

export interface RunUnderWay {
  readonly random: RandomSource;
  /** How often managers write in a run in which nothing happens. */
  readonly usualWrites: number;
  /** The managers' way to the API server, the workers' way to the coordinator, and the managers' way to Trivy's server. */
  readonly ways: { readonly api: TcpGate; readonly coordinator: TcpGate; readonly trivy: TcpGate };
  readonly cluster: SimulatedCluster;
  /** The one that was started last. */
  readonly manager: () => RunningManager;
  /** Another one beside it, to which the workers are led from now on. */
  readonly startAnother: () => Promise<RunningManager>;
  /** Until managers have written so often since the run was asked for. Rejects with `NotReached` when the run is over, and there are not so many. */
  readonly untilWrites: (count: number) => Promise<void>;
  /** Where the workers trust that the coordinator is. */
  readonly caFile: string;
  readonly kubectl: FaultStage['kubectl'];
  /** Something that must not be. */
  readonly complain: (problem: string) => void;
}

/** What there was to see of a run, and what is wrong with it. */
export interface FaultyRun {
  /** `after-its-end`: the run had ended, and its pods were being deleted. `never`: there were not so many writes, and nothing happened. */
  readonly happened: 'during' | 'after-its-end' | 'never';
  readonly seconds: number;
  readonly writes: number;
  readonly problems: readonly string[];
}

export interface FaultSite extends AsyncDisposable {
  /** One run over all nodes, while that happens. `usualWrites`: of a run in which nothing does. */
  run(fault: Fault, random: RandomSource, usualWrites?: number): Promise<FaultyRun>;
}

export interface FaultSiteOptions {
  readonly nodes: number;
  /** The path of the bundled program `simulate-workers`. */
  readonly workers: string;
  readonly say: (line: string) => void;
}

/** Nothing has happened to this run. */
class NotReached extends Error {}

const LONGEST_MS = 300_000;
/** How long a manager writes after the end of a run at most. */
const CLEANED_UP_MS = 10_000;
const LOOK_MS = 5;
const LEASE = '--lease-duration=4s';
/** As a kubelet does at first. */
const RESTART_MS = 500;

/** A real API server, etcd and scheduler, a manager as in its image, and workers of simulated nodes over the real API of the coordinator. */
export async function startFaultSite({ nodes, workers, say }: FaultSiteOptions): Promise<FaultSite> {
  const cluster = await startSimulatedCluster({ nodes, podFate: 'runs' }, say);
  const trivy = await startTrivyStandIn();
  const call = await kubectlWith({ kubeconfig: cluster.controlPlane.kubeconfig, home: cluster.folder });
  const kubectl = async (args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await call(args);
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`);
    return stdout;
  };
  const parts = new AsyncDisposableStack();
  let postgres: Promise<Postgres> | null = null;
  const stage: FaultStage = {
    cluster,
    kubectl,
    postgres: async () => {
      postgres ??= startPostgres().then((server) => parts.use(server));
      return postgres;
    },
  };
  const close = async (): Promise<void> => {
    await parts.disposeAsync();
    await trivy.close();
    await cluster[Symbol.asyncDispose]();
  };
  const forget = async (): Promise<void> => {
    await kubectl(['delete', 'imagejobs', '--all', '--wait=true']);
    await kubectl(['delete', 'pods', '--all', '-n', cluster.namespace, '--wait=true']);
    await kubectl(['delete', 'configmaps', '-n', cluster.namespace, 'eraser-manager-state', '--ignore-not-found']);
    await cluster.configure(MANUAL);
  };
  const run = async (fault: Fault, random: RandomSource, usualWrites = 0): Promise<FaultyRun> => {
    await forget();
    await using own = new AsyncDisposableStack();
    const staged = await fault.stage(stage);
    own.defer(async () => staged.close?.());
    const history = own.use(staged.history ?? historyInFile(cluster.folder));
    const { environment = {}, apiPort = Number(new URL(cluster.controlPlane.url).port) } = staged;
    const managers = own.use(await Managers.start(cluster, { trivyUrl: trivy.url, apiPort, flags: history.flags, environment }));
    const working = own.use(startWorkers(workers, cluster, managers.ways.coordinator));
    await working.untilReady();
    const watch = own.use(await openWatch(cluster));
    const before = await countWrites(cluster);
    const writes = async (): Promise<number> => (await countWrites(cluster)) - before;
    const seen = { endedAt: Infinity, happened: 'during' as FaultyRun['happened'] };
    const untilWrites = async (count: number): Promise<void> => {
      while ((await writes()) < count) {
        if (performance.now() > seen.endedAt + CLEANED_UP_MS) throw new NotReached();
        await sleep(LOOK_MS);
      }
      if (seen.endedAt !== Infinity) seen.happened = 'after-its-end';
    };
    const begun = watch.next();
    await cluster.configure(AUTOMATIC);
    const ending = (await begun).untilEnded();
    void ending.then(() => (seen.endedAt = performance.now()));
    const ended = Promise.race([ending, sleep(LONGEST_MS, null, { ref: false })]);
    const complaints: string[] = [];
    const site: RunUnderWay = {
      random,
      usualWrites,
      ways: managers.ways,
      cluster,
      manager: () => managers.latest,
      startAnother: () => managers.startOne(),
      untilWrites,
      caFile: working.caFile,
      kubectl,
      complain: (problem) => {
        complaints.push(problem);
      },
    };
    await staged.happen(site).catch((error: unknown) => {
      if (!(error instanceof NotReached)) throw error;
      seen.happened = 'never';
    });
    const end = await ended;
    const isEndRecorded = await untilEndRecorded(history);
    const { reads, faults } = await working.tally();
    const count = await writes();
    await managers.stop();
    const problems = [
      ...complaints,
      ...problemsOf(end, nodes),
      ...faults.map((one) => `a worker failed: ${one}`),
      ...problemsOfReads(reads, countImages(makeContents(cluster.nodes)), staged.mostReadTwice ?? 0),
      ...(isEndRecorded ? [] : ['the history does not know how the run ended']),
      ...(await problemsOfHistory(history, cluster)),
    ];
    return { happened: seen.happened, seconds: (end?.ms ?? LONGEST_MS) / 1_000, writes: count, problems };
  };
  return { run, [Symbol.asyncDispose]: close };
}

async function openWatch({ controlPlane }: SimulatedCluster): Promise<RunWatch & AsyncDisposable> {
  const watch = await RunWatch.begin(controlPlane.kubeconfig);
  return Object.assign(watch, { [Symbol.asyncDispose]: () => watch.close() });
}

interface ManagersOptions {
  readonly trivyUrl: string;
  readonly apiPort: number;
  readonly flags: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** The managers of a run. One that ends is started again, as a kubelet does. */
class Managers implements AsyncDisposable {
  readonly ways: RunUnderWay['ways'];
  readonly #cluster: SimulatedCluster;
  readonly #options: ManagersOptions;
  /** In the order in which they were started. */
  readonly #running: Set<RunningManager>;
  #isOver = false;
  #restarts: Promise<void>[] = [];

  private constructor(cluster: SimulatedCluster, options: ManagersOptions, running: Set<RunningManager>, ways: RunUnderWay['ways']) {
    this.#cluster = cluster;
    this.#options = options;
    this.#running = running;
    this.ways = ways;
  }

  static async start(cluster: SimulatedCluster, options: ManagersOptions): Promise<Managers> {
    const running = new Set<RunningManager>();
    const [api, coordinator, trivy] = await Promise.all([
      startTcpGate(options.apiPort),
      // On port 1 nothing listens: there is no coordinator.
      startTcpGate(() => [...running].at(-1)?.port ?? 1),
      startTcpGate(Number(new URL(options.trivyUrl).port)),
    ]);
    const managers = new Managers(cluster, options, running, { api, coordinator, trivy });
    await managers.startOne();
    return managers;
  }

  get latest(): RunningManager {
    const latest = [...this.#running].at(-1);
    if (latest === undefined) throw new Error('no manager runs');
    return latest;
  }

  /** Resolves when it leads: what has no coordinator yet waits for its lease. */
  async startOne(): Promise<RunningManager> {
    const { api, trivy } = this.ways;
    const manager = await startManager(this.#cluster, {
      args: [LEASE, `--trivy-server=http://127.0.0.1:${String(trivy.port)}`, ...this.#options.flags],
      through: `https://127.0.0.1:${String(api.port)}`,
      environment: this.#options.environment,
    });
    this.#running.add(manager);
    void manager.ended.then(() => {
      this.#running.delete(manager);
      if (!this.#isOver && this.#running.size === 0) this.#restarts.push(this.#restart());
    });
    return manager;
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all([...this.#running].map((manager) => manager.kill()));
    await Promise.all(this.#restarts);
    await Promise.all([...this.#running].map((manager) => manager.kill()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    for (const way of Object.values(this.ways)) way.close();
  }

  async #restart(): Promise<void> {
    while (!this.#isOver) {
      await sleep(RESTART_MS);
      try {
        await this.startOne();
        return;
      } catch {
        // The API server may be away: then it is tried again.
      }
    }
  }
}

async function countWrites(cluster: SimulatedCluster): Promise<number> {
  return (await managerRequests(cluster)).filter(({ verb }) => verb !== 'get' && verb !== 'list').length;
}

function problemsOf(ended: EndedRun | null, nodes: number): string[] {
  if (ended === null) return ['the run has not ended'];
  const { phase, desired = 0, succeeded = 0, failed = 0, skipped = 0 } = ended.status;
  const isAll = phase === 'Completed' && desired === nodes && succeeded === nodes && failed === 0 && skipped === 0;
  return isAll ? [] : [`the run says ${JSON.stringify({ phase, desired, succeeded, failed, skipped })} of ${String(nodes)} nodes`];
}

const MOST_READS = 1.02;

function problemsOfReads(reads: number, images: number, readTwice: number): string[] {
  const most = Math.floor(images * MOST_READS) + readTwice;
  return reads <= most ? [] : [`${String(images)} images were read ${String(reads)} times, and may be ${String(most)} times`];
}

/** When all is well again, the manager has nothing else to do. */
async function untilEndRecorded({ count }: RunHistory): Promise<boolean> {
  const deadline = performance.now() + RECORDED_MS;
  while ((await count(ENDED_FIRST_JOB)) === 0) {
    if (performance.now() > deadline) return false;
    await sleep(RECORD_LOOK_MS);
  }
  return true;
}

const RECORDED_MS = 60_000;
const RECORD_LOOK_MS = 200;
/** A clock that was put forward may make another run due. */
const FIRST_JOB = '(SELECT min(key) FROM job)';
const ENDED_FIRST_JOB = `SELECT count(*) FROM job WHERE key = ${FIRST_JOB} AND started_at IS NOT NULL AND ended_at IS NOT NULL`;
const ITS_NODES = `FROM node_run WHERE job_key = ${FIRST_JOB}`;

/** By the rows themselves: each node once, with all of its images. */
async function problemsOfHistory({ count }: RunHistory, cluster: SimulatedCluster): Promise<string[]> {
  const found = {
    results: await count(`SELECT count(*) ${ITS_NODES}`),
    nodes: await count(`SELECT count(DISTINCT node) ${ITS_NODES}`),
    decisions: await count(`SELECT count(*) FROM decision WHERE run_id IN (SELECT run_id ${ITS_NODES})`),
    falseParts: await count(`SELECT count(*) FROM part WHERE content_key = '${FALSE_PART}'`),
  };
  const contents = makeContents(cluster.nodes);
  const decisions = contents.reduce((sum, { inventory }) => sum + inventory.images.length, 0);
  const wanted = { results: contents.length, nodes: contents.length, decisions, falseParts: 0 };
  return isDeepStrictEqual(found, wanted) ? [] : [`the history has ${JSON.stringify(found)} instead of ${JSON.stringify(wanted)}`];
}
