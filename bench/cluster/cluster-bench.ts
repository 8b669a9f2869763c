/** What a benchmark of clusters is given. */
export interface ClusterBenchOptions {
  /** Multiplies what it does. */
  readonly effort: number;
  /** The path of a bundled program of `workloads/`. */
  readonly workload: (name: string) => string;
  readonly say: (line: string) => void;
}
