import { readFile } from 'node:fs/promises';
import { availableParallelism, freemem, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TrivyConfig } from '../../api/eraser-config.ts';
import { CALL_LIMITS, TRIVY_SERVER_NAME, trivyServerPath } from '../../api/coordinator/coordinator-api.ts';
import { MOST_TRIVY_CALLS_BYTES } from '../../api/coordinator/trivy-calls.ts';
import { SYSTEM_TIMING } from '../../platform/timing.ts';
import type { TrivyOptions } from '../../scan/trivy-options.ts';
import type { BoundScanner, WantedScanner } from '../worker-context.ts';
import type { CoordinatorAccess } from './connect-coordinator.ts';

export interface ScannerSurroundings {
  readonly env: NodeJS.ProcessEnv;
  /** Of the runtime. */
  readonly socketPath: string;
  /** null: Trivy judges here, by a database of its own. */
  readonly coordinator: CoordinatorAccess | null;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** What one Trivy process needs with the whole vulnerability database. */
const SCAN_MEMORY_BYTES = 512 * 1024 * 1024;
/** Another manager takes over meanwhile, and its Trivy loads the database. */
const PATIENCE_MS = 10 * 60_000;
/** The coordinator's own limit comes first, as an answer. */
const ANSWER_SLACK_MS = 10_000;

export async function connectScanner(
  { args, config, runtimeName }: WantedScanner,
  { env, socketPath, coordinator, now }: ScannerSurroundings,
): Promise<BoundScanner> {
  const [{ createTrivyScanner }, { planScanConcurrency }] = await Promise.all([
    import('../../scan/trivy-scanner.ts'),
    import('../../scan/plan-scan-concurrency.ts'),
  ]);
  const limit = process.constrainedMemory();
  const memoryBytes = (limit > 0 && limit < freemem() ? limit : freemem()) / 2;
  const concurrency = planScanConcurrency({
    memoryLimitBytes: memoryBytes,
    cpus: availableParallelism(),
    perProcessBytes: SCAN_MEMORY_BYTES,
  });
  const judge = coordinator === null ? ownDatabase(args, await config()) : databaseOf(coordinator, args);
  const scanner = createTrivyScanner({
    ...judge,
    binary: args.trivy,
    images: runtimeName === 'containerd' ? { kind: 'containerd', address: socketPath } : { kind: 'other', runtimeName },
    tmpDir: tmpdir(),
    // Where the server that judges runs here too, it is one more than the scans at once.
    memoryLimitBytes: Math.floor(memoryBytes / (coordinator === null ? concurrency + 1 : concurrency)),
    env,
    now,
  });
  return { scanner, concurrency };
}

type Judge = Pick<TrivyOptions, 'database' | 'cacheDir' | 'rpcTimeoutMs'>;

function ownDatabase(args: WantedScanner['args'], config: TrivyConfig): Judge {
  const database =
    args.database === 'as-is' ? ({ kind: 'as-is' } as const) : ({ kind: 'download', repositories: [config.dbRepo] } as const);
  return { database, cacheDir: config.cacheDir };
}

/** The database of the whole cluster, which only the coordinator can ask. Nothing is kept here, where little can be written. */
function databaseOf(coordinator: CoordinatorAccess, args: WantedScanner['args']): Judge {
  return {
    database: {
      kind: 'server',
      url: new URL(trivyServerPath(coordinator), coordinator.url).href,
      name: TRIVY_SERVER_NAME,
      together: { path: 'calls', mostBytes: MOST_TRIVY_CALLS_BYTES },
      tokenHeader: 'Authorization',
      // The kubelet renews both.
      token: async () => `Bearer ${(await readFile(coordinator.tokenFile, 'utf8')).trim()}`,
      ca: () => readFile(coordinator.caFile, 'utf8'),
      patience: { ms: PATIENCE_MS, timing: SYSTEM_TIMING },
      ...(args['java-index'] === 'download' ? { javaIndex: { kind: 'download' } } : {}),
    },
    cacheDir: join(tmpdir(), 'trivy'),
    rpcTimeoutMs: CALL_LIMITS['trivy/calls'].timeLimitMs + ANSWER_SLACK_MS,
  };
}
