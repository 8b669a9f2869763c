import { startSimulatedCluster } from '../../lab/simulated-cluster.ts';
import type { Bar, Chart } from '../draw-chart.ts';
import type { BenchmarkResult, Figure, VariantResult } from '../figure.ts';
import type { ClusterBenchOptions } from './cluster-bench.ts';
import { untilAtRest } from './until-at-rest.ts';
import { countRequests, onCluster, peakMib, type FleetRun } from './simulated-site.ts';

const SIZES = [100, 1_000, 5_000];
/** The size that has budgets of its own. */
const PLENTY = 1_000;
const MOST_MS = 24_000;
/** A node. */
const MOST_REQUESTS = 2.5;
/** Eraser's manager at its peak, 124 MB. */
const PEAK_MIB = 118.3;
/** 300 MB. */
const MOST_PEAK_MIB = 286.1;
/** What is called linear. */
const GROWTH = 1.1;

interface ScaleRun extends FleetRun {
  readonly firstMs: number;
}

/** Fleets of simulated nodes whose workers end at once: what a run costs the manager and the API server, and how that grows. */
export async function benchScale({ effort, say }: ClusterBenchOptions): Promise<BenchmarkResult> {
  // There are no fewer nodes than a hundred.
  const sizes = SIZES.map((nodes) => Math.max(100, Math.round(nodes * Math.min(1, effort))));
  const runs: ScaleRun[] = [];
  for (const nodes of new Set(sizes)) runs.push(await instantRun(nodes, say));
  return {
    name: 'cluster-scale',
    title: 'runs over simulated nodes whose workers end at once, all nodes at the same time',
    variants: runs.map((run): VariantResult => ({ name: `${String(run.nodes)} nodes`, measurements: [run] })),
    figures: [...runs.flatMap(figuresOf), ...growth(runs)],
    charts: chartsOf(runs),
  };
}

function chartsOf(runs: readonly ScaleRun[]): Chart[] {
  const barsOf = (partsOf: (run: ScaleRun) => Bar['parts'], budgetOf: (run: ScaleRun) => number | null): Bar[] =>
    runs.map((run) => ({ label: `${String(run.nodes)} nodes`, parts: partsOf(run), budget: budgetOf(run) }));
  const one = (name: string, value: number): Bar['parts'] => [{ name, value }];
  const bars = {
    time: barsOf(
      ({ wallMs }) => one('a run', wallMs / 1_000),
      ({ nodes }) => (nodes === PLENTY ? MOST_MS / 1_000 : null),
    ),
    requests: barsOf(
      ({ requests }) =>
        Object.entries(requests)
          .map(([name, value]) => ({ name, value }))
          .toSorted((a, b) => b.value - a.value),
      ({ nodes }) => (nodes < PLENTY ? null : MOST_REQUESTS * nodes),
    ),
    cpu: barsOf(
      ({ cpuMs }) => one('manager', cpuMs / 1_000),
      () => null,
    ),
    memory: barsOf((run) => one('manager', peakMib(run)), budgetOfPeak),
  };
  return [
    { name: 'cluster-scale-time', title: 'From the making of a run to Completed', unit: 's', bars: bars.time },
    { name: 'cluster-scale-requests', title: "The manager's requests of the API in a run", unit: 'requests', bars: bars.requests },
    { name: 'cluster-scale-cpu', title: "The manager's processor time for a run", unit: 's', bars: bars.cpu },
    { name: 'cluster-scale-memory', title: "The manager's memory at its peak", unit: 'MiB', bars: bars.memory },
  ];
}

function budgetOfPeak({ nodes }: ScaleRun): number | null {
  if (nodes === PLENTY) return PEAK_MIB;
  return nodes > PLENTY ? MOST_PEAK_MIB : null;
}

function figuresOf(run: ScaleRun): Figure[] {
  const { nodes, wallMs, cpuMs, ended } = run;
  const of = (name: string): string => `${String(nodes)} nodes: ${name}`;
  return [
    { name: of('from its making to Completed'), unit: 'ms', samples: [wallMs], budget: nodes === PLENTY ? MOST_MS : null },
    { name: of('the first run on a new cluster'), unit: 'ms', samples: [run.firstMs], budget: null },
    { name: of('nodes without a result of their own'), unit: 'runs', samples: [nodes - (ended.status.succeeded ?? 0)], budget: 0 },
    {
      name: of('API requests a node'),
      unit: 'ratio',
      samples: [countRequests(run) / nodes],
      budget: nodes < PLENTY ? null : MOST_REQUESTS,
    },
    { name: of("manager's CPU a node"), unit: 'ms', samples: [cpuMs / nodes], budget: null },
    { name: of("manager's peak RSS"), unit: 'MiB', samples: [peakMib(run)], budget: budgetOfPeak(run) },
  ];
}

/** What the largest fleet takes beyond its share, by that of a thousand nodes. */
function growth(runs: readonly FleetRun[]): Figure[] {
  const [base, largest] = [runs.find(({ nodes }) => nodes === PLENTY), runs.at(-1)];
  if (base === undefined || largest === undefined || largest === base) return [];
  const grown = (of: (run: FleetRun) => number): number => of(largest) / largest.nodes / (of(base) / base.nodes);
  const name = `${String(largest.nodes)} nodes for each ${String(base.nodes)}`;
  return [
    { name: `${name}: time`, unit: 'ratio', samples: [grown(({ wallMs }) => wallMs)], budget: GROWTH },
    { name: `${name}: API requests`, unit: 'ratio', samples: [grown(countRequests)], budget: GROWTH },
  ];
}

/**
 * The second run of a manager: the first, on a cluster that was made for it, takes up to a third longer, since API server and etcd have yet to get the memory that
 * they work with. The peak of memory is of both.
 */
async function instantRun(nodes: number, say: (line: string) => void): Promise<ScaleRun> {
  say(`${String(nodes)} simulated nodes ...`);
  await using cluster = await startSimulatedCluster({ nodes, podFate: 'succeeds' }, say);
  return await onCluster(cluster, async (site) => {
    const manager = await site.start([]);
    const first = await site.measure(manager);
    await untilAtRest();
    return { ...(await site.measure(manager)), firstMs: first.wallMs };
  });
}
