import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import { connectReader, corePath } from '../../lab/api-reader.ts';
import { asInPod, podEnvironment } from '../../lab/manager-account.ts';
import { readAuditLog, type AuditedRequest } from '../../lab/read-audit-log.ts';
import type { SimulatedCluster } from '../../lab/simulated-cluster.ts';
import { waitUntil } from '../../lab/wait-until.ts';
import { IMAGE_ENVIRONMENT, nodeOptionsOf } from '../../scripts/images/node-options.ts';
import { SERVICE_ACCOUNTS } from '../../src/installation/permissions.ts';
import { WORKERS_CA, workersTallySchema, type SimulatedWorkers, type WorkersTally } from '../simulated-workers.ts';
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
  /** It stands still, as on a machine that has stopped, and goes on. */
  freeze(): void;
  thaw(): void;
  /** Resolves when it has ended, however. */
  readonly ended: Promise<void>;
}

export interface ManagerSettings {
  readonly args: readonly string[];
  /** A URL of the API server; without it, its own. */
  readonly through?: string;
  /** Beside that of its image. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** A manager on a simulated cluster, as it is in a pod of its image. It goes on with the history of one before. */
export async function startManager(cluster: SimulatedCluster, settings: ManagerSettings): Promise<RunningManager> {
  const { args, through = cluster.controlPlane.url, environment = {} } = settings;
  const flags = [
    `--namespace=${cluster.namespace}`,
    `--history=${historyOf(cluster)}`,
    '--health-address=127.0.0.1:0',
    '--coordinator-address=127.0.0.1:0',
    `--coordinator-advertise=${UNREACHED}`,
    '--worker-image=registry.example/image-cleaner:1',
    ...args,
  ];
  const command = [process.execPath, ...nodeOptionsOf('controller'), CONTROLLER, ...flags];
  // To a file, as a pod's output goes: whoever reads it on the way takes its time from the same processors.
  const log = join(cluster.folder, `manager-${String(Date.now())}.log`);
  const output = openSync(log, 'w');
  const child = spawn('unshare', asInPod(cluster.managerAccount, command), {
    env: { ...IMAGE_ENVIRONMENT, ...podEnvironment(through), PATH: '/usr/bin:/bin', ...environment },
    stdio: ['ignore', output, output],
  });
  closeSync(output);
  const ended = once(child, 'exit').then(() => undefined);
  try {
    const port = await untilServing(child, log);
    return {
      process: managerOf(child.pid ?? 0),
      port,
      kill: () => end(child),
      freeze: () => void child.kill('SIGSTOP'),
      thaw: () => void child.kill('SIGCONT'),
      ended,
    };
  } catch (error) {
    await end(child);
    throw error;
  }
}

export function historyOf({ folder }: SimulatedCluster): string {
  return join(folder, 'history.db');
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

const lineSchema = z.looseObject({ message: z.string(), port: z.number().optional() });

/** The port of the coordinator, which is the last to come up. */
async function untilServing(child: ChildProcess, log: string): Promise<number> {
  const port = async (): Promise<number | undefined> => {
    const lines = (await readFile(log, 'utf8')).split('\n').slice(0, -1);
    const read = lines.map((line) => lineSchema.safeParse(parseJson(line)).data);
    return read.find((line) => line?.message === 'the coordinator answers')?.port;
  };
  for (let wait = START_MS; wait > 0; wait -= LOOK_MS) {
    const found = await port();
    if (found !== undefined) return found;
    if (child.exitCode !== null) break;
    await sleep(LOOK_MS);
  }
  throw new Error(`the manager does not serve: ${(await readFile(log, 'utf8')).slice(-2_000)}`);
}

const START_MS = 60_000;
const LOOK_MS = 50;

/** null: of a program that is no manager yet. */
function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

export interface RunningWorkers extends AsyncDisposable {
  tally(): Promise<WorkersTally>;
  /** The certificates of the coordinator that they trust; there once they are ready. */
  readonly caFile: string;
  /** They have read what they need of the API server beforehand. */
  untilReady(): Promise<void>;
}

/** What runs in the worker pods of a cluster whose pods run until they are told to have ended. */
export function startWorkers(program: string, cluster: SimulatedCluster, { port }: Pick<RunningManager, 'port'>): RunningWorkers {
  const { controlPlane, namespace, nodes, folder } = cluster;
  const told: SimulatedWorkers = { kubeconfig: controlPlane.kubeconfig, namespace, port, nodes: [...nodes], folder };
  const file = join(folder, 'workers.json');
  const caFile = join(folder, WORKERS_CA);
  rmSync(caFile, { force: true });
  writeFileSync(file, JSON.stringify(told));
  const child = spawn(process.execPath, [program, file], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    caFile,
    untilReady: () =>
      waitUntil('the simulated workers are ready', () => Promise.resolve(existsSync(caFile)), { timeoutMs: 60_000, pollMs: 50 }),
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

/** Its pods are deleted after the run has ended. One on a dead node stays: nobody but its kubelet can say that it has ended. */
export async function untilNoPods({ controlPlane, namespace, deadNodes }: SimulatedCluster): Promise<void> {
  const reader = await connectReader(controlPlane.kubeconfig);
  try {
    const path = `${corePath(namespace, 'pods', 'eraser.sh/job-uid')}&limit=${String(deadNodes + 1)}`;
    await waitUntil('no worker pod is left', async () => (await reader.read(podsSchema, path)).items.length <= deadNodes, {
      timeoutMs: 120_000,
      pollMs: 200,
    });
  } finally {
    await reader.close();
  }
  await sleep(SETTLED_MS);
}
