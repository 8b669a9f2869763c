import { availableParallelism, freemem, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TrivyConfig } from '../../api/eraser-config.ts';
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

/** What one Trivy process may need for an image; a server of its own, which has the whole vulnerability database, as much. */
const SCAN_MEMORY_BYTES = 512 * 1024 * 1024;

export async function connectScanner(
  { args, config, runtimeName }: WantedScanner,
  { env, socketPath, coordinator, now }: ScannerSurroundings,
): Promise<BoundScanner> {
  const { planScanConcurrency } = await import('../../scan/plan-scan-concurrency.ts');
  const limit = process.constrainedMemory();
  const memoryBytes = (limit > 0 && limit < freemem() ? limit : freemem()) / 2;
  const concurrency = planScanConcurrency({
    memoryLimitBytes: memoryBytes,
    cpus: availableParallelism(),
    perProcessBytes: SCAN_MEMORY_BYTES,
  });
  const options = {
    binary: args.trivy,
    images:
      runtimeName === 'containerd' ? ({ kind: 'containerd', address: socketPath } as const) : ({ kind: 'other', runtimeName } as const),
    tmpDir: tmpdir(),
    // Where the server that judges runs here too, it is one more than the scans at once.
    memoryLimitBytes: Math.floor(memoryBytes / (coordinator === null ? concurrency + 1 : concurrency)),
    env,
    now,
  };
  if (coordinator === null) {
    const { createTrivyScanner } = await import('../../scan/trivy-scanner.ts');
    return { kind: 'scanner', scanner: createTrivyScanner({ ...options, ...ownDatabase(args, await config()) }), concurrency };
  }
  const { createTrivyReader } = await import('../../scan/trivy-reader.ts');
  // Nothing is kept here, where little can be written.
  const cacheDir = join(tmpdir(), 'trivy');
  const index = args['java-index'] === 'download' ? ({ javaIndex: { kind: 'download' } } as const) : {};
  return { kind: 'reader', reader: createTrivyReader({ ...options, ...index, cacheDir }), concurrency };
}

function ownDatabase(args: WantedScanner['args'], config: TrivyConfig): Pick<TrivyOptions, 'database' | 'cacheDir'> {
  const database =
    args.database === 'as-is' ? ({ kind: 'as-is' } as const) : ({ kind: 'download', repositories: [config.dbRepo] } as const);
  return { database, cacheDir: config.cacheDir };
}
