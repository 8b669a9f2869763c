import type { BenchmarkResult } from './figure.ts';
import type { BenchNode } from './node-with-images.ts';
import type { MeasuredNode } from './run-measured.ts';

export interface BenchContext {
  /** Holds no images at first, and none are promised to be there after. */
  readonly node: BenchNode;
  readonly measured: MeasuredNode;
  /** `dist/image-cleaner.mjs`, just built. */
  readonly cli: string;
  /** The path of a bundled program of `workloads/`. */
  readonly workload: (name: string) => string;
  /** Multiplies the rounds of each benchmark. */
  readonly effort: number;
}

export interface Benchmark {
  readonly name: string;
  readonly run: (context: BenchContext) => Promise<BenchmarkResult>;
}

/** At least two, so that each variant is the first once. */
export function roundsOf(rounds: number, { effort }: BenchContext): number {
  return Math.max(2, Math.round(rounds * effort));
}

/** The options of `clean` for the node's own runtime and Trivy. */
export function scanOptions({ node }: BenchContext): string[] {
  return ['--runtime-endpoint', node.containerd.endpoint, '--trivy', node.trivy, '--trivy-cache-dir', node.cacheDir, '--skip-db-update'];
}
