import { rm } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { countImages, makeContents } from '../../bench/fleet.ts';
import { historyOf, managerRequests, startManager, startWorkers, type RunningManager } from '../../bench/cluster/simulated-run.ts';
import { RunWatch, type EndedRun } from '../../bench/cluster/run-watch.ts';
import type { RandomSource } from '../../bench/random-source.ts';
import { startTrivyStandIn } from '../../bench/trivy-stand-in.ts';
import { AUTOMATIC, MANUAL } from '../../lab/installation.ts';
import { kubectlWith } from '../../lab/kubectl.ts';
import { startSimulatedCluster, type SimulatedCluster } from '../../lab/simulated-cluster.ts';
import { startTcpGate, type TcpGate } from '../cluster/tcp-gate.ts';

/** What may go wrong in the middle of a run. */
export interface Fault {
  readonly name: string;
  /** Once the run has begun; until the fault is over. */
  readonly happen: (site: RunUnderWay) => Promise<void>;
}

export interface RunUnderWay {
  readonly random: RandomSource;
  /** The managers' way to the API server, the workers' way to the coordinator, and the managers' way to Trivy's server. */
  readonly ways: { readonly api: TcpGate; readonly coordinator: TcpGate; readonly trivy: TcpGate };
  readonly cluster: SimulatedCluster;
  /** The one that was started last. */
  readonly manager: () => RunningManager;
  /** Another one beside it, to which the workers are led from now on. */
  readonly startAnother: () => Promise<RunningManager>;
  /** Until managers have written so often since the run was asked for. Rejects with `NotReached` when the run is over, and there are not so many. */
  readonly untilWrites: (count: number) => Promise<void>;
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
  /** One run over all nodes, while that happens. */
  run(fault: Fault, random: RandomSource): Promise<FaultyRun>;
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
  const kubectl = await kubectlWith({ kubeconfig: cluster.controlPlane.kubeconfig, home: cluster.folder });
  const close = async (): Promise<void> => {
    await trivy.close();
    await cluster[Symbol.asyncDispose]();
  };
  const done = async (args: readonly string[]): Promise<void> => {
    const { code, stderr } = await kubectl(args);
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`);
  };
  const forget = async (): Promise<void> => {
    await done(['delete', 'imagejobs', '--all', '--wait=true']);
    await done(['delete', 'pods', '--all', '-n', cluster.namespace, '--wait=true']);
    await done(['delete', 'configmaps', '-n', cluster.namespace, 'eraser-manager-state', '--ignore-not-found']);
    await Promise.all(['', '-wal', '-shm'].map((more) => rm(`${historyOf(cluster)}${more}`, { force: true })));
    await cluster.configure(MANUAL);
  };
  const run = async (fault: Fault, random: RandomSource): Promise<FaultyRun> => {
    await forget();
    await using managers = await Managers.start(cluster, trivy.url);
    await using working = startWorkers(workers, cluster, managers.ways.coordinator);
    await using watch = await openWatch(cluster);
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
    const ended = Promise.race([ending, sleep(LONGEST_MS, null)]);
    const site: RunUnderWay = {
      random,
      ways: managers.ways,
      cluster,
      manager: () => managers.latest,
      startAnother: () => managers.startOne(),
      untilWrites,
    };
    await fault.happen(site).catch((error: unknown) => {
      if (!(error instanceof NotReached)) throw error;
      seen.happened = 'never';
    });
    await ended;
    const { reads, faults } = await working.tally();
    const count = await writes();
    await managers.stop();
    const problems = [
      ...problemsOf(await ended, nodes),
      ...faults.map((one) => `a worker failed: ${one}`),
      ...problemsOfReads(reads, countImages(makeContents(cluster.nodes))),
      ...problemsOfHistory(cluster, nodes),
    ];
    return { happened: seen.happened, seconds: ((await ended)?.ms ?? LONGEST_MS) / 1_000, writes: count, problems };
  };
  return { run, [Symbol.asyncDispose]: close };
}

async function openWatch({ controlPlane }: SimulatedCluster): Promise<RunWatch & AsyncDisposable> {
  const watch = await RunWatch.begin(controlPlane.kubeconfig);
  return Object.assign(watch, { [Symbol.asyncDispose]: () => watch.close() });
}

/** The managers of a run. One that ends is started again, as a kubelet does. */
class Managers implements AsyncDisposable {
  readonly ways: RunUnderWay['ways'];
  readonly #cluster: SimulatedCluster;
  /** In the order in which they were started. */
  readonly #running: Set<RunningManager>;
  #isOver = false;
  #restarts: Promise<void>[] = [];

  private constructor(cluster: SimulatedCluster, running: Set<RunningManager>, ways: RunUnderWay['ways']) {
    this.#cluster = cluster;
    this.#running = running;
    this.ways = ways;
  }

  static async start(cluster: SimulatedCluster, trivyUrl: string): Promise<Managers> {
    const running = new Set<RunningManager>();
    const [api, coordinator, trivy] = await Promise.all([
      startTcpGate(Number(new URL(cluster.controlPlane.url).port)),
      // On port 1 nothing listens: there is no coordinator.
      startTcpGate(() => [...running].at(-1)?.port ?? 1),
      startTcpGate(Number(new URL(trivyUrl).port)),
    ]);
    const managers = new Managers(cluster, running, { api, coordinator, trivy });
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
      args: [LEASE, `--trivy-server=http://127.0.0.1:${String(trivy.port)}`],
      through: `https://127.0.0.1:${String(api.port)}`,
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

function problemsOfReads(reads: number, images: number): string[] {
  const most = Math.floor(images * MOST_READS);
  return reads <= most ? [] : [`${String(images)} images were read ${String(reads)} times, and may be ${String(most)} times`];
}

/** By the rows themselves: each node once, with all of its images. */
function problemsOfHistory(cluster: SimulatedCluster, nodes: number): string[] {
  const database = new DatabaseSync(historyOf(cluster), { readOnly: true });
  try {
    const count = (query: string): number => Number(Object.values(database.prepare(query).get() ?? {})[0]);
    const found = {
      results: count('SELECT count(*) FROM node_run'),
      nodes: count('SELECT count(DISTINCT node) FROM node_run'),
      decisions: count('SELECT count(*) FROM decision'),
    };
    const decisions = makeContents(cluster.nodes).reduce((sum, { inventory }) => sum + inventory.images.length, 0);
    const isWhole = found.results === nodes && found.nodes === nodes && found.decisions === decisions;
    return isWhole ? [] : [`the history has ${JSON.stringify(found)}, and ${String(nodes)} nodes have ${String(decisions)} images`];
  } finally {
    database.close();
  }
}
