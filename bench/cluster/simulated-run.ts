import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import { connectReader, corePath } from '../../lab/api-reader.ts';
import { readAuditLog, type AuditedRequest } from '../../lab/read-audit-log.ts';
import type { SimulatedCluster } from '../../lab/simulated-cluster.ts';
import { waitUntil } from '../../lab/wait-until.ts';
import { SERVICE_ACCOUNTS } from '../../src/installation/permissions.ts';
import { workersTallySchema, type SimulatedWorkers, type WorkersTally } from '../simulated-workers.ts';
import { managerOf, type ManagerProcess } from './manager-process.ts';

const CONTROLLER = fileURLToPath(new URL('../../dist/controller.mjs', import.meta.url));
/** Of the addresses for documentation. */
const UNREACHED = '192.0.2.1';
const SETTLED_MS = 1_000;

export interface RunningManager {
  readonly process: ManagerProcess;
  /** The port of its coordinator. */
  readonly port: number;
  /** As a crash would: nothing is finished. */
  kill(): Promise<void>;
}

/** A manager on a simulated cluster, as its bundle is in the image. With the same name as one before, it goes on with its history. */
export async function startManager(cluster: SimulatedCluster, args: readonly string[]): Promise<RunningManager> {
  const flags = [
    `--kubeconfig=${cluster.managerKubeconfig}`,
    `--namespace=${cluster.namespace}`,
    `--history=${join(cluster.folder, 'history.db')}`,
    '--health-address=127.0.0.1:0',
    '--coordinator-address=127.0.0.1:0',
    `--coordinator-advertise=${UNREACHED}`,
    '--worker-image=registry.example/image-cleaner:1',
    ...args,
  ];
  const child = spawn(process.execPath, [CONTROLLER, ...flags], {
    env: { PATH: '/usr/bin:/bin' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const log = createWriteStream(join(cluster.folder, 'manager.log'), { flags: 'a' });
  child.stderr.pipe(log, { end: false });
  try {
    const port = await untilServing(child, (line) => log.write(`${line}\n`));
    return { process: managerOf(child.pid ?? 0), port, kill: () => end(child) };
  } catch (error) {
    await end(child);
    throw error;
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

const lineSchema = z.looseObject({ message: z.string(), port: z.number().optional() });

/** The port of the coordinator, which is the last to come up. */
function untilServing(child: ChildProcess, onLine: (line: string) => void): Promise<number> {
  if (child.stdout === null) throw new Error('the manager has no output');
  const served = Promise.withResolvers<number>();
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => {
    onLine(line);
    const { message, port } = lineSchema.parse(JSON.parse(line));
    if (message === 'the coordinator answers' && port !== undefined) served.resolve(port);
  });
  child.once('exit', (code) => served.reject(new Error(`the manager has ended with ${String(code)}`)));
  return served.promise;
}

export interface RunningWorkers extends AsyncDisposable {
  tally(): Promise<WorkersTally>;
}

/** What runs in the worker pods of a cluster whose pods run until they are told to have ended. */
export function startWorkers(program: string, cluster: SimulatedCluster, { port }: RunningManager): RunningWorkers {
  const { controlPlane, namespace, nodes, folder } = cluster;
  const told: SimulatedWorkers = { kubeconfig: controlPlane.kubeconfig, namespace, port, nodes: [...nodes], folder };
  const file = join(folder, 'workers.json');
  writeFileSync(file, JSON.stringify(told));
  const child = spawn(process.execPath, [program, file], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    tally: async () => {
      child.kill('SIGUSR2');
      const { value, done } = await lines.next();
      if (done === true) throw new Error('the workers have ended');
      return workersTallySchema.parse(JSON.parse(value));
    },
    [Symbol.asyncDispose]: () => end(child),
  };
}

/** What managers have asked of the API server, but for watches and what concerns their Lease. */
export async function managerRequests({ controlPlane, namespace }: SimulatedCluster): Promise<AuditedRequest[]> {
  const username = `system:serviceaccount:${namespace}:${SERVICE_ACCOUNTS.manager}`;
  const all = await readAuditLog(controlPlane.auditLog);
  return all.filter((request) => request.username === username && request.verb !== 'watch' && request.resource !== 'leases');
}

/** How often each was asked, `create pods` for one. */
export function tally(requests: readonly AuditedRequest[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of requests.map(({ verb, resource }) => `${verb} ${resource}`).toSorted()) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

const podsSchema = z.object({ items: z.array(z.unknown()) });

/** Its pods are deleted after the run has ended. */
export async function untilNoPods({ controlPlane, namespace }: SimulatedCluster): Promise<void> {
  const reader = await connectReader(controlPlane.kubeconfig);
  try {
    const path = `${corePath(namespace, 'pods', 'eraser.sh/job-uid')}&limit=1`;
    await waitUntil('no worker pod is left', async () => (await reader.read(podsSchema, path)).items.length === 0, {
      timeoutMs: 120_000,
      pollMs: 200,
    });
  } finally {
    await reader.close();
  }
  await sleep(SETTLED_MS);
}
