import { setTimeout as sleep } from 'node:timers/promises';
import { AUTOMATIC, MANUAL } from '../../lab/installation.ts';
import { startSimulatedCluster, type SimulatedCluster } from '../../lab/simulated-cluster.ts';
import { waitUntil } from '../../lab/wait-until.ts';
import type { BenchmarkResult, Figure, Measurement, VariantResult } from '../figure.ts';
import { countImages, makeContents } from '../fleet.ts';
import type { WorkersTally } from '../simulated-workers.ts';
import { percentile } from '../statistics.ts';
import { startTrivyStandIn } from '../trivy-stand-in.ts';
import type { ClusterBenchOptions } from './cluster-bench.ts';
import { RunWatch, type EndedRun } from './run-watch.ts';
import { managerRequests, startManager, startWorkers, tally, untilNoPods, type RunningManager } from './simulated-run.ts';

const SIZES = [100, 1_000, 5_000];
/** The size that has budgets of its own. */
const PLENTY = 1_000;
/** Eraser's manager at its peak, 124 MB. */
const PEAK_MIB = 118.3;
/** 300 MB. */
const MOST_PEAK_MIB = 286.1;
/** What is called linear. */
const GROWTH = 1.1;

interface FleetRun extends Measurement {
  readonly nodes: number;
  readonly requests: Readonly<Record<string, number>>;
  readonly ended: EndedRun;
}

export interface ScaleResult extends BenchmarkResult {
  /** For charts, and for whoever wants to know which. */
  readonly requests: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** Fleets of simulated nodes whose workers end at once: what a run costs the manager and the API server, and how that grows. */
export async function benchScale({ effort, workload, say }: ClusterBenchOptions): Promise<ScaleResult> {
  // There are no fewer nodes than a hundred.
  const sizes = SIZES.map((nodes) => Math.max(100, Math.round(nodes * Math.min(1, effort))));
  const runs: FleetRun[] = [];
  for (const nodes of new Set(sizes)) runs.push(await instantRun(nodes, say));
  const working = await workingRun(sizes[1] ?? PLENTY, { workload, say });
  const killed = await killedRun(sizes[1] ?? PLENTY, say);
  const dead = await deadNodeRun(say);
  return {
    name: 'scale',
    title: 'runs over simulated nodes whose workers end at once, all nodes at the same time',
    variants: [
      ...runs.map((run): VariantResult => ({ name: `${String(run.nodes)} nodes`, measurements: [run] })),
      { name: `${String(working.nodes)} nodes, workers that scan`, measurements: [working] },
      { name: `${String(killed.nodes)} nodes, the manager killed`, measurements: [killed] },
      { name: '100 nodes, one of them dead', measurements: [dead] },
    ],
    figures: [
      ...runs.flatMap(figuresOf),
      ...growth(runs),
      ...figuresOfWorking(working),
      ...figuresOfKilled(killed),
      ...figuresOfDead(dead),
    ],
    requests: Object.fromEntries(runs.map(({ nodes, requests }) => [`${String(nodes)} nodes`, requests])),
  };
}

function figuresOf({ nodes, wallMs, cpuMs, peakRssBytes, requests, ended }: FleetRun): Figure[] {
  const of = (name: string): string => `${String(nodes)} nodes: ${name}`;
  const all = Object.values(requests).reduce((sum, count) => sum + count, 0);
  const mib = (peakRssBytes ?? Number.NaN) / 1024 / 1024;
  const isPlenty = nodes === PLENTY;
  return [
    { name: of('from its making to Completed'), unit: 'ms', samples: [wallMs], budget: isPlenty ? 24_000 : null },
    { name: of('nodes without a result of their own'), unit: 'runs', samples: [nodes - (ended.status.succeeded ?? 0)], budget: 0 },
    { name: of('API requests a node'), unit: 'ratio', samples: [all / nodes], budget: nodes < PLENTY ? null : 2.5 },
    { name: of("manager's CPU a node"), unit: 'ms', samples: [cpuMs / nodes], budget: null },
    { name: of("manager's peak RSS"), unit: 'MiB', samples: [mib], budget: isPlenty ? PEAK_MIB : nodes > PLENTY ? MOST_PEAK_MIB : null },
  ];
}

/** What the largest fleet takes beyond its share, by that of a thousand nodes. */
function growth(runs: readonly FleetRun[]): Figure[] {
  const [base, largest] = [runs.find(({ nodes }) => nodes === PLENTY), runs.at(-1)];
  if (base === undefined || largest === undefined || largest === base) return [];
  const count = ({ requests }: FleetRun): number => Object.values(requests).reduce((sum, one) => sum + one, 0);
  const grown = (of: (run: FleetRun) => number): number => of(largest) / largest.nodes / (of(base) / base.nodes);
  const name = `${String(largest.nodes)} nodes for each ${String(base.nodes)}`;
  return [
    { name: `${name}: time`, unit: 'ratio', samples: [grown(({ wallMs }) => wallMs)], budget: GROWTH },
    { name: `${name}: API requests`, unit: 'ratio', samples: [grown(count)], budget: GROWTH },
  ];
}

async function instantRun(nodes: number, say: (line: string) => void): Promise<FleetRun> {
  say(`${String(nodes)} simulated nodes ...`);
  await using cluster = await startSimulatedCluster({ nodes, podFate: 'succeeds' }, say);
  return await onCluster(cluster, async (site) => {
    const manager = await site.start([]);
    return site.measure(manager);
  });
}

interface WorkingRun extends FleetRun {
  readonly images: number;
  readonly tally: WorkersTally;
}

/** Workers that tell the coordinator what is on their nodes, read for each other, and tell it what came of it; as many at once as by default. */
async function workingRun(nodes: number, { workload, say }: Pick<ClusterBenchOptions, 'workload' | 'say'>): Promise<WorkingRun> {
  say(`${String(nodes)} simulated nodes, workers that scan ...`);
  const trivy = await startTrivyStandIn();
  try {
    await using cluster = await startSimulatedCluster({ nodes, podFate: 'runs' }, say);
    return await onCluster(cluster, async (site) => {
      const manager = await site.start([`--trivy-server=${trivy.url}`], DEFAULT_PARALLEL);
      await using workers = startWorkers(workload('simulate-workers'), cluster, manager);
      const run = await site.measure(manager, { begin: () => site.configure(AUTOMATIC) });
      const tally = await workers.tally();
      if (tally.faults.length > 0) throw new Error(`${String(tally.faults.length)} workers failed: ${tally.faults.slice(0, 3).join('; ')}`);
      return { ...run, tally, images: countImages(makeContents(cluster.nodes)) };
    });
  } finally {
    await trivy.close();
  }
}

function figuresOfWorking({ nodes, images, tally, wallMs, cpuMs, peakRssBytes, requests, ended }: WorkingRun): Figure[] {
  const of = (name: string): string => `${String(nodes)} nodes that scan: ${name}`;
  const all = Object.values(requests).reduce((sum, count) => sum + count, 0);
  const at = (share: number): number[] => [percentile(tally.latencies, share)];
  return [
    { name: of('from its making to Completed'), unit: 'ms', samples: [wallMs], budget: null },
    { name: of('nodes without a result of their own'), unit: 'runs', samples: [nodes - (ended.status.succeeded ?? 0)], budget: 0 },
    { name: of('images read for each that there is'), unit: 'ratio', samples: [tally.reads / images], budget: 1.02 },
    // A worker asks for its node's pods, which the manager has to ask the API server for, and a node for its own.
    { name: of('API requests a node'), unit: 'ratio', samples: [all / nodes], budget: 2.5 },
    { name: of("manager's CPU a node"), unit: 'ms', samples: [cpuMs / nodes], budget: null },
    { name: of("manager's peak RSS"), unit: 'MiB', samples: [(peakRssBytes ?? Number.NaN) / 1024 / 1024], budget: null },
    { name: of('half of the calls within'), unit: 'ms', samples: at(0.5), budget: null },
    { name: of('99 of 100 calls within'), unit: 'ms', samples: at(0.99), budget: null },
  ];
}

interface KilledRun extends FleetRun {
  readonly podsMade: number;
}

/** The manager is killed when half of the pods are made, and another one goes on. */
async function killedRun(nodes: number, say: (line: string) => void): Promise<KilledRun> {
  say(`${String(nodes)} simulated nodes, the manager killed ...`);
  await using cluster = await startSimulatedCluster({ nodes, podFate: 'succeeds' }, say);
  return await onCluster(cluster, async (site) => {
    const first = await site.start([]);
    const made = async (): Promise<number> => (await managerRequests(cluster)).filter(isCreationOfPod).length;
    const begun = site.watch.next();
    await site.apply();
    const run = await begun;
    await waitUntil('half of the pods are made', async () => (await made()) >= nodes / 2, { timeoutMs: 120_000, pollMs: 50 });
    await first.kill();
    const second = await site.start([]);
    const ended = await run.untilEnded();
    await untilNoPods(cluster);
    return {
      nodes,
      ended,
      wallMs: ended.ms,
      cpuMs: await second.process.cpuMs(),
      peakRssBytes: await second.process.peakRssBytes(),
      requests: tally(await managerRequests(cluster)),
      podsMade: await made(),
    };
  });
}

function isCreationOfPod({ verb, resource }: { readonly verb: string; readonly resource: string }): boolean {
  return verb === 'create' && resource === 'pods';
}

function figuresOfKilled({ nodes, podsMade, ended }: KilledRun): Figure[] {
  const { desired = 0, succeeded = 0, failed = 0, skipped = 0 } = ended.status;
  const counted = Math.abs(nodes - succeeded) + Math.abs(nodes - desired) + failed + skipped;
  return [
    // One is known to nobody whose making was under way when the manager died: then it is asked for again, and is there.
    { name: 'manager killed: results too many or too few', unit: 'runs', samples: [counted], budget: 0 },
    { name: 'manager killed: pods made beyond one a node', unit: 'runs', samples: [podsMade - nodes], budget: nodes * 0.1 },
  ];
}

const DEAD_AMONG = 100;
const START_TIMEOUT_MS = 300_000;

/** One node starts no pod: it fails when the start has had its time, and the run ends. */
async function deadNodeRun(say: (line: string) => void): Promise<FleetRun> {
  say(`${String(DEAD_AMONG)} simulated nodes, one of them dead: for five minutes ...`);
  await using cluster = await startSimulatedCluster({ nodes: DEAD_AMONG, podFate: 'succeeds', deadNodes: 1 }, say);
  return await onCluster(cluster, async (site) => {
    const manager = await site.start([`--start-timeout=${String(START_TIMEOUT_MS / 1_000)}s`]);
    return site.measure(manager);
  });
}

function figuresOfDead({ cpuMs, wallMs, ended }: FleetRun): Figure[] {
  const { succeeded = 0, failed = 0 } = ended.status;
  const wrong = Math.abs(DEAD_AMONG - 1 - succeeded) + Math.abs(1 - failed);
  return [
    { name: "one dead node: manager's CPU", unit: 'ms', samples: [cpuMs], budget: 5_000 },
    { name: 'one dead node: until the run has ended', unit: 'ms', samples: [wallMs], budget: START_TIMEOUT_MS + 30_000 },
    { name: 'one dead node: results too many or too few', unit: 'runs', samples: [wrong], budget: 0 },
  ];
}

interface Site {
  readonly watch: RunWatch;
  /** Starts a manager that comes to rest; all nodes at once, unless said otherwise. */
  start(args: readonly string[], maxParallel?: readonly string[]): Promise<RunningManager>;
  configure(configuration: object): Promise<void>;
  /** Makes a run begin. */
  apply(): Promise<void>;
  /** From before the run begins until all of its pods are gone. */
  measure(manager: RunningManager, how?: { readonly begin?: () => Promise<void> }): Promise<FleetRun>;
}

const DEFAULT_PARALLEL: readonly string[] = [];

async function onCluster<Result>(cluster: SimulatedCluster, work: (site: Site) => Promise<Result>): Promise<Result> {
  const managers: RunningManager[] = [];
  const watch = await RunWatch.begin(cluster.controlPlane.kubeconfig);
  const apply = (): Promise<void> =>
    cluster.apply({ apiVersion: 'eraser.sh/v1', kind: 'ImageList', metadata: { name: 'imagelist' }, spec: { images: ['*'] } });
  const configure = (configuration: object): Promise<void> =>
    cluster.apply({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'eraser-manager-config', namespace: cluster.namespace },
      data: { 'controller_manager_config.yaml': JSON.stringify(configuration) },
    });
  try {
    await configure(MANUAL);
    return await work({
      watch,
      apply,
      configure,
      start: async (args, maxParallel = [`--max-parallel=${String(cluster.nodes.length)}`]) => {
        const manager = await startManager(cluster, [...maxParallel, ...args]);
        managers.push(manager);
        await sleep(REST_MS);
        return manager;
      },
      measure: async (manager, { begin = apply } = {}) => {
        const before = (await managerRequests(cluster)).length;
        const cpuMs = await manager.process.cpuMs();
        const begun = watch.next();
        await begin();
        const ended = await (await begun).untilEnded();
        await untilNoPods(cluster);
        return {
          nodes: cluster.nodes.length,
          ended,
          wallMs: ended.ms,
          cpuMs: (await manager.process.cpuMs()) - cpuMs,
          peakRssBytes: await manager.process.peakRssBytes(),
          requests: tally((await managerRequests(cluster)).slice(before)),
        };
      },
    });
  } finally {
    for (const manager of managers) await manager.kill();
    await watch.close();
  }
}

const REST_MS = 2_000;
