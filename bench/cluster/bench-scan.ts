import { stat } from 'node:fs/promises';
import { AUTOMATIC } from '../../lab/installation.ts';
import { startSimulatedCluster } from '../../lab/simulated-cluster.ts';
import type { BenchmarkResult, Figure } from '../figure.ts';
import { countImages, makeContents } from '../fleet.ts';
import type { WorkersTally } from '../simulated-workers.ts';
import { percentile } from '../statistics.ts';
import { startTrivyStandIn } from '../trivy-stand-in.ts';
import type { ClusterBenchOptions } from './cluster-bench.ts';
import { historyOf, startWorkers } from './simulated-run.ts';
import { countRequests, onCluster, peakMib, type FleetRun } from './simulated-site.ts';

const NODES = 1_000;

/** A fleet whose workers do over the coordinator's API what those of real nodes do, as many at once as by default. */
export async function benchScan({ effort, workload, say }: ClusterBenchOptions): Promise<BenchmarkResult> {
  const run = await workingRun(Math.max(100, Math.round(NODES * Math.min(1, effort))), { workload, say });
  return {
    name: 'cluster-scan',
    title: 'a run over simulated nodes whose workers tell what is there, read images for each other, and tell what came of it',
    variants: [{ name: `${String(run.nodes)} nodes`, measurements: [run] }],
    figures: figuresOfWorking(run),
  };
}

interface WorkingRun extends FleetRun {
  readonly images: number;
  readonly tally: WorkersTally;
  /** Of a history that was empty. */
  readonly historyBytes: number;
}

async function workingRun(nodes: number, { workload, say }: Pick<ClusterBenchOptions, 'workload' | 'say'>): Promise<WorkingRun> {
  say(`${String(nodes)} simulated nodes, workers that scan ...`);
  const trivy = await startTrivyStandIn();
  try {
    await using cluster = await startSimulatedCluster({ nodes, podFate: 'runs' }, say);
    return await onCluster(cluster, async (site) => {
      const manager = await site.start([`--trivy-server=${trivy.url}`], []);
      await using workers = startWorkers(workload('simulate-workers'), cluster, manager);
      const run = await site.measure(manager, { begin: () => cluster.configure(AUTOMATIC) });
      const tally = await workers.tally();
      if (tally.faults.length > 0) throw new Error(`${String(tally.faults.length)} workers failed: ${tally.faults.slice(0, 3).join('; ')}`);
      const historyBytes = (await Promise.all(['', '-wal'].map((more) => stat(`${historyOf(cluster)}${more}`)))).reduce(
        (sum, { size }) => sum + size,
        0,
      );
      return { ...run, tally, images: countImages(makeContents(cluster.nodes)), historyBytes };
    });
  } finally {
    await trivy.close();
  }
}

function figuresOfWorking(run: WorkingRun): Figure[] {
  const { nodes, images, tally, wallMs, cpuMs, ended, historyBytes } = run;
  const of = (name: string): string => `${String(nodes)} nodes that scan: ${name}`;
  const at = (share: number): number[] => [percentile(tally.latencies, share)];
  return [
    { name: of('from its making to Completed'), unit: 'ms', samples: [wallMs], budget: null },
    { name: of('nodes without a result of their own'), unit: 'runs', samples: [nodes - (ended.status.succeeded ?? 0)], budget: 0 },
    { name: of('images read for each that there is'), unit: 'ratio', samples: [tally.reads / images], budget: 1.02 },
    // A worker asks for its node's pods, which the manager has to ask the API server for, and a node for its own.
    { name: of('API requests a node'), unit: 'ratio', samples: [countRequests(run) / nodes], budget: 2.5 },
    { name: of("manager's CPU a node"), unit: 'ms', samples: [cpuMs / nodes], budget: null },
    { name: of("manager's peak RSS"), unit: 'MiB', samples: [peakMib(run)], budget: null },
    { name: of('the history that was empty before'), unit: 'MiB', samples: [historyBytes / 1024 / 1024], budget: null },
    { name: of('half of the calls within'), unit: 'ms', samples: at(0.5), budget: null },
    { name: of('99 of 100 calls within'), unit: 'ms', samples: at(0.99), budget: null },
  ];
}
