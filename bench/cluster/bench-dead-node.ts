import { startSimulatedCluster } from '../../lab/simulated-cluster.ts';
import type { BenchmarkResult, Figure } from '../figure.ts';
import type { ClusterBenchOptions } from './cluster-bench.ts';
import { onCluster, type FleetRun } from './simulated-site.ts';

const DEAD_AMONG = 100;
const START_TIMEOUT_MS = 300_000;

/** One node starts no pod: it fails when the start has had its time, and the run ends. */
export async function benchDeadNode({ say }: ClusterBenchOptions): Promise<BenchmarkResult> {
  const run = await deadNodeRun(say);
  return {
    name: 'cluster-dead-node',
    title: 'a run over simulated nodes, one of which looks well and starts no pod',
    variants: [{ name: `${String(DEAD_AMONG)} nodes`, measurements: [run] }],
    figures: figuresOfDead(run),
  };
}

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
