import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import type { ClusterNode } from '../../lab/cluster.ts';
import { demoDatabase } from '../../lab/demo-images.ts';
import { runOutOfMemory } from '../../lab/out-of-memory.ts';
import { writeTrivyDatabase } from '../../lab/trivy-database.ts';
import type { RealFault, RealRun } from './real-site.ts';

/** How long something is away, ms. */
export interface RealLengths {
  readonly apiServer: number;
  readonly coordinator: number;
  readonly trivy: number;
  readonly kubelet: number;
  readonly runtime: number;
  readonly disk: number;
}

export const REAL_SHORT: RealLengths = { apiServer: 8_000, coordinator: 8_000, trivy: 6_000, kubelet: 1_000, runtime: 1_000, disk: 6_000 };
/** The coordinator is away for longer than a lease on an image lasts, the kubelet for longer than until its node counts as lost. */
export const REAL_LONG: RealLengths = {
  apiServer: 180_000,
  coordinator: 60_000,
  trivy: 25_000,
  kubelet: 20_000,
  runtime: 10_000,
  disk: 30_000,
};

const NOTHING: RealFault = { name: 'nothing', happen: () => Promise.resolve() };

/** What a short run has, by their names. */
export const IN_SHORT: ReadonlySet<string> = new Set([
  'nothing',
  'containerd is restarted during a removal',
  'the kubelet is restarted during a scan',
  "Trivy's server is killed",
  'the manager is killed during a removal',
  'the disk of the history is full during a scan',
  'the API server is stopped',
]);

export function realFaults(lengths: RealLengths): readonly RealFault[] {
  return [NOTHING, ...restarts(lengths), ...faultsOfTrivy(lengths), ...kills(), ...faultsOfNetwork(lengths), ...faultsOfDisks(lengths)];
}

function restarts({ kubelet, runtime }: RealLengths): RealFault[] {
  const during = (what: string, restart: (node: ClusterNode) => Promise<void>): RealFault[] => [
    {
      name: `${what} is restarted during a scan`,
      happen: async ({ anyNode, untilScanning }) => {
        await untilScanning(anyNode);
        await restart(anyNode);
      },
    },
    {
      name: `${what} is restarted during a removal`,
      happen: async ({ anyNode, untilRemoving }) => {
        await untilRemoving(anyNode);
        await restart(anyNode);
      },
    },
  ];
  const restartKubelet = async (node: ClusterNode): Promise<void> => {
    await node.killKubelet();
    await sleep(kubelet);
    await node.startKubelet();
  };
  const restartContainerd = async (node: ClusterNode): Promise<void> => {
    await node.killContainerd();
    await sleep(runtime);
    await node.startContainerd();
  };
  return [...during('the kubelet', restartKubelet), ...during('containerd', restartContainerd)];
}

function faultsOfTrivy({ trivy }: RealLengths): RealFault[] {
  const duringScan = async ({ anyNode, untilScanning, manager }: RealRun): Promise<number> => {
    await untilScanning(anyNode);
    const [pid] = manager.trivyPids();
    if (pid === undefined) throw new Error("Trivy's server does not run");
    return pid;
  };
  return [
    {
      name: "Trivy's server is killed",
      happen: async (run) => void process.kill(await duringScan(run), 'SIGKILL'),
    },
    {
      name: "Trivy's server hangs",
      happen: async (run) => {
        const pid = await duringScan(run);
        process.kill(pid, 'SIGSTOP');
        await sleep(trivy);
        process.kill(pid, 'SIGCONT');
      },
    },
    {
      name: "Trivy's server runs out of memory",
      happen: async (run) => {
        await runOutOfMemory(await duringScan(run));
        run.mustHold(async () => (await endsOfContainers(run, 'trivy-server')).includes('OOMKilled'));
      },
    },
    {
      name: 'the vulnerability database is replaced',
      happen: async (run) => {
        const pid = await duringScan(run);
        const updatedAt = new Date();
        await replaceDatabase(run.trivyCache, updatedAt);
        // As Trivy has it, its server opens another database when it starts.
        process.kill(pid, 'SIGTERM');
        const judgedByIt = `SELECT 1 FROM scan_report WHERE database_updated_at = '${updatedAt.toISOString()}'`;
        run.mustHold(async () => (await run.manager.readRows(judgedByIt)).length > 0);
      },
    },
  ];
}

/** Of our own pods, over the whole way of a run. */
function kills(): RealFault[] {
  const killedWhen = (moment: string, isReached: (run: RealRun) => Promise<void>): RealFault => ({
    name: `the manager is killed ${moment}`,
    happen: async (run) => {
      await isReached(run);
      const pids = run.manager.managerPids();
      for (const pid of pids) process.kill(pid, 'SIGKILL');
      run.mustHold(async () => pids.length > 0 && (await endsOfContainers(run, 'manager')).length > 0);
    },
  });
  return [
    killedWhen('when there is a job', () => Promise.resolve()),
    killedWhen('when there is a worker pod', ({ untilSeen, site }) => untilSeen(async () => (await site.workerPods()).length > 0)),
    killedWhen('during a scan', ({ untilScanning, anyNode }) => untilScanning(anyNode)),
    killedWhen('during a removal', ({ untilRemoving, anyNode }) => untilRemoving(anyNode)),
    killedWhen('when the first node is on record', ({ untilSeen, manager }) =>
      untilSeen(async () => (await manager.readRows('SELECT 1 FROM node_run')).length > 0),
    ),
    {
      name: 'a worker pod is deleted during a scan',
      mayReadTwice: true,
      mayFailNodes: true,
      // As by who drains the node.
      happen: async ({ site, anyNode, untilScanning, mustHold }) => {
        await untilScanning(anyNode);
        const pod = (await site.workerPods()).find(({ spec }) => spec.nodeName === anyNode.name);
        mustHold(() => Promise.resolve(pod?.status.phase === 'Running'));
        await site.do(['delete', 'pod', '-n', site.namespace, pod?.metadata.name ?? '', '--wait=false']);
      },
    },
  ];
}

function faultsOfNetwork({ apiServer, coordinator }: RealLengths): RealFault[] {
  const stopApiserver = async ({ cluster }: RealRun): Promise<void> => {
    await cluster.stopApiserver();
    await sleep(apiServer);
    await cluster.startApiserver();
  };
  const cutOff = async ({ site, otherNode }: RealRun): Promise<void> => {
    const heal = await otherNode.loseAllTo(await managerAddress(site));
    await sleep(coordinator);
    await heal();
  };
  return [
    {
      name: 'the API server is stopped',
      happen: async (run) => {
        await run.untilScanning(run.anyNode);
        await stopApiserver(run);
      },
    },
    {
      name: 'the API server is stopped during a removal',
      happen: async (run) => {
        await run.untilRemoving(run.anyNode);
        await stopApiserver(run);
      },
    },
    {
      name: 'a node loses all that it sends to the coordinator during a scan',
      // Its leases run out.
      mayReadTwice: true,
      happen: async (run) => {
        await run.untilScanning(run.otherNode);
        await cutOff(run);
      },
    },
    {
      name: 'a node loses all that it sends to the coordinator during a removal',
      happen: async (run) => {
        await run.untilRemoving(run.otherNode);
        await cutOff(run);
      },
    },
  ];
}

const HISTORY_BYTES = 64 * 1024 * 1024;

function faultsOfDisks({ disk }: RealLengths): RealFault[] {
  return [
    {
      name: 'the disk of the history is full during a scan',
      manifest: { historyVolume: { emptyDir: { medium: 'Memory', sizeLimit: String(HISTORY_BYTES) } } },
      happen: async ({ anyNode, untilScanning, manager }) => {
        await untilScanning(anyNode);
        const filler = join(manager.historyFolder(), 'filler');
        await fill(filler, HISTORY_BYTES);
        await sleep(disk);
        await rm(filler);
      },
    },
  ];
}

/** With so many bytes, or as many as there is room for. */
async function fill(file: string, bytes: number): Promise<void> {
  const piece = Buffer.alloc(1024 * 1024);
  await using handle = await open(file, 'w');
  try {
    for (let written = 0; written < bytes; written += piece.length) await handle.write(piece);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  }
}

const endsSchema = z.object({
  containerStatuses: z
    .array(z.object({ name: z.string(), lastState: z.object({ terminated: z.object({ reason: z.string() }).optional() }) }))
    .default([]),
});

/** Why a container of the manager's pod has ended before, by what the kubelet tells. */
async function endsOfContainers({ site }: RealRun, container: string): Promise<string[]> {
  const statuses = (await site.managerPods()).flatMap(({ status }) => endsSchema.parse(status).containerStatuses);
  return statuses.flatMap(({ name, lastState }) => (name === container ? (lastState.terminated?.reason ?? []) : []));
}

async function managerAddress(site: RealRun['site']): Promise<string> {
  const [pod] = await site.managerPods();
  return z.object({ podIP: z.string() }).parse(pod?.status).podIP;
}

/** All findings are as before. In the place of the other at once: whoever has that open keeps it. */
async function replaceDatabase(cache: string, updatedAt: Date): Promise<void> {
  await writeTrivyDatabase(join(cache, 'next'), { ...demoDatabase(), updatedAt });
  for (const file of ['trivy.db', 'metadata.json']) await rename(join(cache, 'next/db', file), join(cache, 'db', file));
}
