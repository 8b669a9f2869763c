import { join } from 'node:path';
import type { Scanner } from '../engine/ports.ts';
import type { ScanLimits } from '../engine/scan-images.ts';
import { planScanConcurrency } from '../scan/plan-scan-concurrency.ts';
import type { DatabaseSource, TrivyServerSource } from '../scan/trivy-options.ts';
import { createTrivyScanner } from '../scan/trivy-scanner.ts';
import type { BoundMemory } from './bind-history.ts';
import type { BoundNode } from './bind-runtime.ts';
import type { CliContext } from './context.ts';
import type { ScannerOptions } from './parsed-options.ts';

export interface ScannerSurroundings {
  readonly node: BoundNode;
  /** What earlier scans left. */
  readonly memory: BoundMemory;
  /** null: Trivy's own database here judges. */
  readonly server: TrivyServerSource | null;
}

/** Trivy on this machine, reading the images of its runtime. */
export function bindScanner(context: CliContext, options: ScannerOptions, { node, memory, server }: ScannerSurroundings): Scanner {
  const { records } = memory;
  return createTrivyScanner({
    binary: options.trivy,
    images:
      node.runtimeName === 'containerd'
        ? { kind: 'containerd', address: node.socketPath }
        : { kind: 'other', runtimeName: node.runtimeName },
    database: server ?? databaseHere(options),
    cacheDir: options.trivyCacheDir ?? defaultCacheDir(context),
    tmpDir: context.machine.temporaryDirectory,
    // One more than the scans at once: the server that judges.
    memoryLimitBytes: Math.floor(scanMemory(context, options) / (scanConcurrency(context, options) + 1)),
    env: context.env,
    now: context.now,
    // A Trivy that cannot even tell its version in the time of a whole scan hangs.
    probeTimeoutMs: Math.min(Math.max(options.timeoutPerImage, LEAST_PROBE_TIMEOUT_MS), PROBE_TIMEOUT_MS),
    ...(records === null
      ? {}
      : {
          versionMemory: {
            read: (identity) => records.readScannerVersion(identity),
            write: (identity, version) => records.rememberScannerVersion(identity, version),
          },
          readPart: (key, scanner) => records.readPart(key, scanner),
        }),
  });
}

function databaseHere({ skipDbUpdate, dbRepository }: ScannerOptions): DatabaseSource {
  if (skipDbUpdate) return { kind: 'as-is' };
  return { kind: 'download', ...(dbRepository === undefined ? {} : { repositories: [dbRepository] }) };
}

export function scanLimits(context: CliContext, options: ScannerOptions): ScanLimits {
  return {
    concurrency: scanConcurrency(context, options),
    perImageTimeoutMs: options.timeoutPerImage,
    totalTimeoutMs: options.timeoutTotal,
  };
}

/** What one Trivy process needs with the whole vulnerability database; small images take a quarter of it. */
export const SCAN_MEMORY_BYTES = 512 * 1024 * 1024;

/** Trivy answers in a tenth of a second; loading a large database from a slow disk takes longer. */
const PROBE_TIMEOUT_MS = 60_000;
const LEAST_PROBE_TIMEOUT_MS = 2_000;

export function scanConcurrency(context: CliContext, options: ScannerOptions): number {
  const fitting = planScanConcurrency({
    memoryLimitBytes: scanMemory(context, options),
    cpus: context.machine.cpus,
    perProcessBytes: SCAN_MEMORY_BYTES,
  });
  return options.concurrency ?? fitting;
}

/** A scan runs on a node that has other work: half of what is free, unless told otherwise. */
export function scanMemory({ machine }: CliContext, { scanMemory: given }: ScannerOptions): number {
  return given ?? machine.memoryBytes / 2;
}

/** As Trivy itself chooses it; a variable that is empty is unset. */
export function defaultCacheDir({ env, machine }: CliContext): string {
  const setTo = (name: string): string | null => (env[name] === '' ? null : (env[name] ?? null));
  return setTo('TRIVY_CACHE_DIR') ?? join(setTo('XDG_CACHE_HOME') ?? join(machine.homeDirectory, '.cache'), 'trivy');
}
