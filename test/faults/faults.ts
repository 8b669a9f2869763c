import { setTimeout as sleep } from 'node:timers/promises';
import { compactEtcd } from '../../lab/compact-etcd.ts';
import type { Fault, RunUnderWay } from './fault-site.ts';

/** How long something is away, ms. */
export interface Lengths {
  readonly apiServer: number;
  readonly other: number;
}

export const SHORT: Lengths = { apiServer: 8_000, other: 6_000 };
export const LONG: Lengths = { apiServer: 180_000, other: 25_000 };

export const NOTHING_HAPPENS: Fault = { name: 'nothing', happen: () => Promise.resolve() };

/** kill -9 of the manager after the write of this number; the next one goes on. */
export function killedAfter(write: number): Fault {
  return {
    name: `the manager is killed after its write ${String(write)}`,
    happen: async ({ untilWrites, manager }) => {
      await untilWrites(write);
      await manager().kill();
    },
  };
}

/** Somewhere in the first half of a run with so many writes. */
async function midway({ random, untilWrites }: RunUnderWay, writes: number): Promise<void> {
  await untilWrites(1 + random.below(Math.floor(writes / 2)));
}

/** All but kills, in a run that takes so many writes when nothing happens. */
export function faultsOf(lengths: Lengths, writes: number): readonly Fault[] {
  const away = (name: string, way: 'api' | 'coordinator' | 'trivy', how: 'shut' | 'freeze', ms: number): Fault => ({
    name,
    happen: async (site) => {
      await midway(site, writes);
      const gate = site.ways[way];
      gate[how]();
      await sleep(ms);
      if (how === 'shut') gate.open();
      else gate.thaw();
    },
  });
  return [
    {
      name: 'the leader stands still while another one takes over, and goes on then',
      happen: async (site) => {
        await midway(site, writes);
        const first = site.manager();
        first.freeze();
        await site.startAnother();
        first.thaw();
        await sleep(lengths.other);
      },
    },
    {
      name: 'the API server is stopped',
      happen: async (site) => {
        await midway(site, writes);
        const { controlPlane } = site.cluster;
        await controlPlane.stopApiserver('SIGKILL');
        await sleep(lengths.apiServer);
        await controlPlane.startApiserver();
      },
    },
    {
      name: 'etcd is compacted while all watches are cut',
      happen: async (site) => {
        await midway(site, writes);
        site.ways.api.shut();
        await sleep(1_000);
        await compactEtcd(site.cluster.controlPlane);
        site.ways.api.open();
      },
    },
    away('the network to the API server loses all packets', 'api', 'freeze', lengths.other),
    away('the connections to the API server are cut', 'api', 'shut', 1_500),
    away('the network to the coordinator loses all packets', 'coordinator', 'freeze', lengths.other),
    away('the coordinator cannot be reached', 'coordinator', 'shut', lengths.other),
    away("Trivy's server hangs", 'trivy', 'freeze', lengths.other),
    away("Trivy's server is killed, and there again", 'trivy', 'shut', lengths.other),
  ];
}
