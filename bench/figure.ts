import type { Chart } from './draw-chart.ts';

/** What is measured of one run of a variant. */
export interface Measurement {
  /** Milliseconds. */
  readonly wallMs: number;
  /** Milliseconds on any processor, of the process and of all that it started. */
  readonly cpuMs: number;
  /** The largest at any time, of the process itself; null: not told apart from the benchmark's own. */
  readonly peakRssBytes: number | null;
}

export interface VariantResult {
  readonly name: string;
  /** In order of time. */
  readonly measurements: readonly Measurement[];
}

/** A number that a budget may be set on: the median of its samples. */
export interface Figure {
  readonly name: string;
  readonly unit: 'ratio' | 'ms' | 'MiB' | 'runs';
  /** One for each round. */
  readonly samples: readonly number[];
  /** null: only to be known. */
  readonly budget: number | null;
}

export interface BenchmarkResult {
  readonly name: string;
  /** What is compared with what. */
  readonly title: string;
  readonly variants: readonly VariantResult[];
  readonly figures: readonly Figure[];
  readonly charts?: readonly Chart[];
}
