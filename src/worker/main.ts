#!/usr/bin/env node
import { availableParallelism, freemem, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WORKER_PATHS } from '../api/worker-pod.ts';
import type { NodeRuntime } from '../engine/ports.ts';
import { SYSTEM_TIMING } from '../platform/timing.ts';
import type { Log } from './log.ts';
import { makeFifoWith } from './make-fifo.ts';
import { badUsage, type WorkerArguments } from './parse-arguments.ts';
import type { Coordinator } from './ports.ts';
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
  const { connectToRuntime } = await import('../cri/connect-to-runtime.ts');
  return connectToRuntime({ socketPath: socketPath() }, signal);
}

/** How long the coordinator may be away, after which nothing is removed. */
const COORDINATOR_PATIENCE_MS = 10 * 60_000;

async function connectCoordinator({ coordinator, config }: WorkerArguments, log: Log): Promise<Coordinator | null> {
  if (coordinator === 'required') return connectClient(log);
  const [{ loneCoordinator }, { readConfig }, { scanPolicyOf }] = await Promise.all([
    import('./lone-coordinator.ts'),
    import('./read-config.ts'),
    import('../api/eraser-config/scan-policy-of.ts'),
  ]);
  return loneCoordinator(scanPolicyOf(await readConfig(config)));
}

/** null: there is none, which only a manual run can do without. */
async function connectClient(log: Log): Promise<Coordinator | null> {
  const { NODE_NAME: node, JOB_UID: job, COORDINATOR_URL: url, COORDINATOR_TOKEN_FILE: tokenFile, COORDINATOR_CA_FOLDER: caFolder } = env;
  if (url === undefined || url === '') return null;
  if (node === undefined || job === undefined || tokenFile === undefined || caFolder === undefined) {
    throw badUsage('NODE_NAME, JOB_UID, COORDINATOR_TOKEN_FILE and COORDINATOR_CA_FOLDER go with COORDINATOR_URL');
  }
  const [{ CoordinatorClient }, { CA_BUNDLE_FILE }] = await Promise.all([
    import('../coordinator/client/coordinator-client.ts'),
    import('../api/coordinator/coordinator-api.ts'),
  ]);
  const client = new CoordinatorClient({
    url,
    node,
    job,
    tokenFile,
    caFile: join(caFolder, CA_BUNDLE_FILE),
    timing: SYSTEM_TIMING,
    wallNow: Date.now,
    giveUpAfterMs: COORDINATOR_PATIENCE_MS,
    onRetry: ({ code, message }, pauseMs) => log.warn('the coordinator is called again', { code, error: message, pauseMs }),
  });
  connections.push(client);
  return client;
}

/** What one Trivy process needs with the whole vulnerability database. */
const SCAN_MEMORY_BYTES = 512 * 1024 * 1024;

async function connectScanner({ args, config, runtimeName }: WantedScanner): Promise<BoundScanner> {
  const [{ createTrivyScanner }, { planScanConcurrency }] = await Promise.all([
    import('../scan/trivy-scanner.ts'),
    import('../scan/plan-scan-concurrency.ts'),
  ]);
  const limit = process.constrainedMemory();
  const memoryBytes = limit > 0 && limit < freemem() ? limit : freemem();
  const concurrency = planScanConcurrency({
    memoryLimitBytes: memoryBytes / 2,
    cpus: availableParallelism(),
    perProcessBytes: SCAN_MEMORY_BYTES,
  });
  const scanner = createTrivyScanner({
    binary: args.trivy,
    images: runtimeName === 'containerd' ? { kind: 'containerd', address: socketPath() } : { kind: 'other', runtimeName },
    database: args.database === 'as-is' ? { kind: 'as-is' } : { kind: 'download', repositories: [config.dbRepo] },
    cacheDir: config.cacheDir,
    tmpDir: tmpdir(),
    // One more than the scans at once: the server that judges.
    memoryLimitBytes: Math.floor(memoryBytes / 2 / (concurrency + 1)),
    env,
    now: Date.now,
  });
  return { scanner, concurrency };
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
  connectScanner,
});
for (const connection of connections) connection.close();
