import { startSimulatedCluster } from '../../lab/simulated-cluster.ts';
import { waitUntil } from '../../lab/wait-until.ts';
import type { BenchmarkResult, Figure } from '../figure.ts';
import type { ClusterBenchOptions } from './cluster-bench.ts';
import { managerRequests, tally, untilNoPods } from './simulated-run.ts';
import { onCluster, type FleetRun } from './simulated-site.ts';

const NODES = 1_000;

/** The manager is killed in the middle of a run, and another one goes on. */
export async function benchKilled({ effort, say }: ClusterBenchOptions): Promise<BenchmarkResult> {
  const run = await killedRun(Math.max(100, Math.round(NODES * Math.min(1, effort))), say);
  return {
    name: 'cluster-killed',
    title: 'a run whose manager is killed when half of the pods are made, and started again',
    variants: [{ name: `${String(run.nodes)} nodes`, measurements: [run] }],
    figures: figuresOfKilled(run),
  };
}

interface KilledRun extends FleetRun {
  readonly podsMade: number;
}

async function killedRun(nodes: number, say: (line: string) => void): Promise<KilledRun> {
  say(`${String(nodes)} simulated nodes, the manager killed ...`);
  await using cluster = await startSimulatedCluster({ nodes, podFate: 'succeeds' }, say);
  return await onCluster(cluster, async (site) => {
    const first = await site.start([]);
    const made = async (): Promise<number> => (await managerRequests(cluster)).filter(isCreationOfPod).length;
    const begun = site.watch.next();
    await site.apply();
    const run = await begun;
    await waitUntil('half of the pods are made', async () => (await made()) >= nodes / 2, { timeoutMs: 120_000, pollMs: 250 });
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
