#!/usr/bin/env node
import { fileURLToPath } from 'node:url';
import { WORKER_PATHS } from '../api/worker-pod.ts';
import { connectToRuntime } from '../cri/connect-to-runtime.ts';
import type { NodeRuntime } from '../engine/ports.ts';
import type { Log } from '../platform/log.ts';
import { SYSTEM_TIMING } from '../platform/timing.ts';
import { createCoordinatorClient, readCoordinatorAccess, type ClientOptions, type CoordinatorAccess } from './bind/connect-coordinator.ts';
import { makeFifoWith } from './make-fifo.ts';
import { badUsage, type WorkerArguments } from './parse-arguments.ts';
import type { Coordinator, LogSink } from './ports.ts';
import { runProgram } from './program.ts';
import type { BoundScanner, WantedScanner } from './worker-context.ts';

const { env } = process;
const stop = new AbortController();
for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => stop.abort(new Error(`stopped by ${name}`)));
const connections: { close(): void }[] = [];
// Whoever reads the log may go away; the work goes on.
process.stdout.on('error', () => undefined);

function socketPath(): string {
  const endpoint = env['CONTAINER_RUNTIME_ENDPOINT'];
  if (endpoint?.startsWith('unix:///') !== true) throw badUsage('CONTAINER_RUNTIME_ENDPOINT is to be a unix:// address');
  return endpoint.slice('unix://'.length);
}

async function connectRuntime(signal: AbortSignal): Promise<NodeRuntime & { close(): void }> {
  return connectToRuntime({ socketPath: socketPath() }, signal);
}

/** null: there is none, which only a manual run, or one that is told so, can do without. */
function coordinatorAccess({ coordinator }: WorkerArguments): CoordinatorAccess | null {
  return coordinator === 'required' ? readCoordinatorAccess(env) : null;
}

function connectTo(access: CoordinatorAccess, options: Omit<ClientOptions, 'wallNow'>): Coordinator & LogSink {
  const client = createCoordinatorClient(access, { ...options, wallNow: Date.now });
  connections.push(client);
  return client;
}

const LAST_MS = 5_000;
/** How long the coordinator may be away, after which nothing is removed. */
const COORDINATOR_PATIENCE_MS = 10 * 60_000;

async function connectCoordinator(args: WorkerArguments, log: Log): Promise<Coordinator | null> {
  if (args.coordinator === 'none') {
    const [{ loneCoordinator }, { readConfig }, { scanPolicyOf }] = await Promise.all([
      import('./lone-coordinator.ts'),
      import('./read-config.ts'),
      import('../api/eraser-config/scan-policy-of.ts'),
    ]);
    return loneCoordinator(scanPolicyOf(await readConfig(args.config)));
  }
  const access = coordinatorAccess(args);
  const onRetry: ClientOptions['onRetry'] = ({ code, message }, pauseMs) =>
    log.warn('the coordinator is called again', { code, error: message, pauseMs });
  return access === null ? null : connectTo(access, { giveUpAfterMs: COORDINATOR_PATIENCE_MS, onRetry });
}

/** Silent: what it would tell would be sent in turn. */
function connectLogs(args: WorkerArguments): Promise<LogSink | null> {
  const access = coordinatorAccess(args);
  return Promise.resolve(access === null ? null : connectTo(access, { giveUpAfterMs: null, onRetry: () => undefined }));
}

async function connectScanner(wanted: WantedScanner): Promise<BoundScanner> {
  const { connectScanner: connect } = await import('./bind/connect-scanner.ts');
  return connect(wanted, { env, socketPath: socketPath(), coordinator: coordinatorAccess(wanted.args), now: Date.now });
}

process.exitCode = await runProgram({
  args: process.argv.slice(2),
  env,
  paths: WORKER_PATHS,
  write: (line) => process.stdout.write(line),
  now: Date.now,
  timing: SYSTEM_TIMING,
  signal: stop.signal,
  // Beside the bundle, where the build puts it.
  makeFifo: makeFifoWith(fileURLToPath(new URL('mkfifo', import.meta.url))),
  connectRuntime,
  connectCoordinator,
  connectLogs,
  connectScanner,
});
for (const connection of connections) connection.close();
// All is done: whatever still holds the process must not hold the pod.
setTimeout(() => process.exit(), LAST_MS).unref();
