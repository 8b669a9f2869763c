import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { CoordinatorClient } from '../../src/coordinator/client/coordinator-client.ts';
import type { NodeRuntime } from '../../src/engine/ports.ts';
import { SYSTEM_TIMING } from '../../src/platform/timing.ts';
import { shareScans } from '../../src/worker/share-scans.ts';
import { IMAGE_ENVIRONMENT, nodeOptionsOf } from '../../scripts/images/node-options.ts';
import { roundsOf, type Benchmark } from '../benchmark.ts';
import type { Measurement } from '../figure.ts';
import { makeFleet, type Fleet, type FleetNode } from '../fleet.ts';
import { coordinatorPlaceSchema, coordinatorUsageSchema, type CoordinatorUsage } from '../served-coordinator.ts';
import { percentile } from '../statistics.ts';
import { startTrivyStandIn } from '../trivy-stand-in.ts';

const NODES = 1_000;
/** From one inventory to the next, ms: those of a thousand nodes come in ten seconds, the last answer included. */
const PACE_MS = 9.5;
const BUDGET_OF_NODE_MS = 10;
/** 124 MB. */
const MOST_RSS_MIB = 118.3;
const { signal } = new AbortController();

/** The coordinator under the load of a thousand nodes, whose workers read images in no time. */
export const coordinator: Benchmark = {
  name: 'coordinator',
  run: async (context) => {
    // There are no fewer rounds than two, so there are fewer nodes.
    const nodes = Math.max(20, Math.round(NODES * Math.min(1, context.effort) ** 2));
    const inventories: (Measurement & { readonly latencies: readonly number[] })[] = [];
    const scans: (Measurement & { readonly reads: number })[] = [];
    const again: (Measurement & { readonly reads: number })[] = [];
    const fleet = await makeFleet(nodes);
    for (let round = 0; round < roundsOf(2, context); round += 1) {
      await using served = await serveCoordinator(context.workload('serve-coordinator'), fleet);
      inventories.push(await served.measure(() => reportInventories(served, fleet)));
      scans.push(await served.measure(async () => ({ reads: await scanAll(served, fleet) })));
      again.push(await served.measure(async () => ({ reads: await scanAll(served, fleet) })));
    }
    const at = (share: number): number[] => inventories.map(({ latencies }) => percentile(latencies, share));
    return {
      name: 'coordinator',
      title: `the coordinator and ${String(nodes)} nodes of ${String(fleet.imagesOfNode)} images each, ${String(fleet.images)} in all`,
      variants: [
        { name: 'inventories', measurements: inventories },
        { name: 'scans', measurements: scans },
        { name: 'scans, nothing new', measurements: again },
      ],
      figures: [
        {
          name: 'inventories, all answered',
          unit: 'ms',
          samples: inventories.map(({ wallMs }) => wallMs),
          budget: nodes * BUDGET_OF_NODE_MS,
        },
        { name: 'inventory, half of them within', unit: 'ms', samples: at(0.5), budget: null },
        { name: 'inventory, 99 of 100 within', unit: 'ms', samples: at(0.99), budget: 250 },
        {
          name: 'images read for each that there is',
          unit: 'ratio',
          samples: scans.map(({ reads }) => reads / fleet.images),
          budget: 1.02,
        },
        { name: 'images read again, nothing new', unit: 'runs', samples: again.map(({ reads }) => reads), budget: 0 },
        {
          name: "the coordinator's peak RSS",
          unit: 'MiB',
          samples: again.map(({ peakRssBytes }) => (peakRssBytes ?? Number.NaN) / 1024 / 1024),
          budget: MOST_RSS_MIB,
        },
      ],
    };
  },
};

interface Served {
  readonly port: number;
  readonly folder: string;
  /** What is done, with what it takes the coordinator. */
  measure<Facts>(work: () => Promise<Facts>): Promise<Measurement & Facts>;
  [Symbol.asyncDispose](): Promise<void>;
}

async function serveCoordinator(program: string, fleet: Fleet): Promise<Served> {
  const folder = await mkdtemp(join(tmpdir(), 'image-cleaner-bench-coordinator-'));
  const trivy = await startTrivyStandIn();
  const told = { ...fleet.served, history: join(folder, 'history.db'), trivyServer: trivy.url };
  // As the manager is in its image.
  const child = spawn(process.execPath, [...nodeOptionsOf('controller'), program, JSON.stringify(told)], {
    env: { ...process.env, ...IMAGE_ENVIRONMENT, PATH: process.env['PATH'] },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<unknown> => {
    const { value, done } = await lines.next();
    if (done === true) throw new Error('the coordinator has ended');
    return JSON.parse(value);
  };
  const { port, ca } = coordinatorPlaceSchema.parse(await next());
  await writeFile(join(folder, 'ca.crt'), ca);
  await Promise.all(fleet.nodes.map(({ name, token }) => writeFile(join(folder, name), token)));
  const usage = async (): Promise<CoordinatorUsage> => {
    child.kill('SIGUSR2');
    return coordinatorUsageSchema.parse(await next());
  };
  return {
    port,
    folder,
    measure: async (work) => {
      const before = await usage();
      const started = performance.now();
      const facts = await work();
      const wallMs = performance.now() - started;
      const { cpuMs, peakRssBytes } = await usage();
      return { wallMs, cpuMs: cpuMs - before.cpuMs, peakRssBytes, ...facts };
    },
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM');
      await once(child, 'exit');
      await trivy.close();
      await rm(folder, { recursive: true });
    },
  };
}

function connect({ port, folder }: Served, { served: { job } }: Fleet, { name }: FleetNode): CoordinatorClient {
  return new CoordinatorClient({
    url: `https://localhost:${String(port)}`,
    job,
    node: name,
    tokenFile: join(folder, name),
    caFile: join(folder, 'ca.crt'),
    timing: SYSTEM_TIMING,
    wallNow: Date.now,
    giveUpAfterMs: 60_000,
    onRetry: () => undefined,
  });
}

/** One after the other at the same pace, each on a connection of its own; how long each took, its handshake included, ms. */
async function reportInventories(served: Served, fleet: Fleet): Promise<{ readonly latencies: readonly number[] }> {
  const begun = performance.now();
  const latencies = await Promise.all(
    fleet.nodes.map(async (node, at) => {
      await sleep(Math.max(0, begun + at * PACE_MS - performance.now()));
      const client = connect(served, fleet, node);
      const started = performance.now();
      await client.reportInventory({ inventory: node.inventory, inUse: new Set(node.inUse), filesystem: null }, signal);
      client.close();
      return performance.now() - started;
    }),
  );
  return { latencies };
}

const NO_RUNTIME = { version: () => Promise.reject(new Error('no image is doubted')) } as unknown as NodeRuntime;

/** All nodes at once; how many images were read. */
async function scanAll(served: Served, fleet: Fleet): Promise<number> {
  let reads = 0;
  await Promise.all(
    fleet.nodes.map(async (node) => {
      const client = connect(served, fleet, node);
      const reader = {
        unsupportedBecause: null,
        probe: () => Promise.resolve({ name: 'trivy', version: fleet.scannerVersion }),
        read: ({ imageId }: { readonly imageId: string }) => {
          reads += 1;
          return Promise.resolve({ kind: 'read', analysis: fleet.analysisOf(imageId) } as const);
        },
        close: () => Promise.resolve(),
      };
      const { results } = await shareScans({
        reader,
        coordinator: client,
        runtime: NO_RUNTIME,
        images: node.inventory.images,
        limits: { concurrency: 2, perImageTimeoutMs: 600_000, totalTimeoutMs: 600_000 },
        timing: SYSTEM_TIMING,
        onEvent: () => undefined,
        signal,
      });
      client.close();
      const unscanned = [...results.values()].filter(({ kind }) => kind !== 'scanned').length;
      if (unscanned > 0) throw new Error(`${String(unscanned)} images of ${node.name} have no verdict`);
    }),
  );
  return reads;
}
