import { MANUAL } from '../../lab/installation.ts';
import type { SimulatedCluster } from '../../lab/simulated-cluster.ts';
import type { Measurement } from '../figure.ts';
import { RunWatch, type EndedRun } from './run-watch.ts';
import { managerRequests, startManager, tally, untilNoPods, type RunningManager } from './simulated-run.ts';
import { untilAtRest } from './until-at-rest.ts';

/** A run over a fleet of simulated nodes. */
export interface FleetRun extends Measurement {
  readonly nodes: number;
  readonly requests: Readonly<Record<string, number>>;
  readonly ended: EndedRun;
}

export function countRequests({ requests }: FleetRun): number {
  return Object.values(requests).reduce((sum, count) => sum + count, 0);
}

export function peakMib({ peakRssBytes }: FleetRun): number {
  return (peakRssBytes ?? Number.NaN) / 1024 / 1024;
}

/** A simulated cluster with what it takes to measure runs on it. */
export interface Site {
  readonly watch: RunWatch;
  /** Starts a manager that comes to rest; all nodes at once, unless said otherwise. */
  start(args: readonly string[], maxParallel?: readonly string[]): Promise<RunningManager>;
  /** Makes a run begin. */
  apply(): Promise<void>;
  /** From before the run begins until all of its pods are gone. */
  measure(manager: RunningManager, how?: { readonly begin?: () => Promise<void> }): Promise<FleetRun>;
}

/** Ends the managers that `work` has started. */
export async function onCluster<Result>(cluster: SimulatedCluster, work: (site: Site) => Promise<Result>): Promise<Result> {
  const managers: RunningManager[] = [];
  const watch = await RunWatch.begin(cluster.controlPlane.kubeconfig);
  let lists = 0;
  // A list that has not changed makes no run.
  const apply = (): Promise<void> => {
    lists += 1;
    const images = ['*', `registry.example/list:${String(lists)}`];
    return cluster.apply({ apiVersion: 'eraser.sh/v1', kind: 'ImageList', metadata: { name: 'imagelist' }, spec: { images } });
  };
  try {
    await cluster.configure(MANUAL);
    return await work({
      watch,
      apply,
      start: async (args, maxParallel = [`--max-parallel=${String(cluster.nodes.length)}`]) => {
        const manager = await startManager(cluster, { args: [...maxParallel, ...args] });
        managers.push(manager);
        await untilAtRest();
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
