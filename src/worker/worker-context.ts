import type { TrivyConfig } from '../api/eraser-config.ts';
import type { WORKER_PATHS } from '../api/worker-pod.ts';
import type { ImageReader, NodeRuntime, Scanner } from '../engine/ports.ts';
import type { Timing } from '../platform/timing.ts';
import type { Log } from '../platform/log.ts';
import type { MakeFifo } from './make-fifo.ts';
import type { Coordinator, LogSink } from './ports.ts';
import type { WorkerArguments } from './parse-arguments.ts';

/** What a worker is given of the process that it runs in. Only `main.ts` makes one from the real process. */
export interface WorkerContext {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where things are in a worker's container. */
  readonly paths: Readonly<Record<keyof Pick<typeof WORKER_PATHS, 'exclusions' | 'imageList' | 'sharedData'>, string>>;
  readonly write: (line: string) => void;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly timing: Timing;
  /** Aborted by SIGTERM: finish what is in hand and stop. */
  readonly signal: AbortSignal;
  readonly makeFifo: MakeFifo;
  readonly connectRuntime: (signal: AbortSignal) => Promise<NodeRuntime & { close(): void }>;
  /** null: this run goes without one, and may. */
  readonly connectCoordinator: (args: WorkerArguments, log: Log) => Promise<Coordinator | null>;
  /** null: there is nobody to take the log. */
  readonly connectLogs: (args: WorkerArguments) => Promise<LogSink | null>;
  readonly connectScanner: (wanted: WantedScanner) => Promise<BoundScanner>;
}

export interface WantedScanner {
  readonly args: WorkerArguments;
  /** Read when it is first asked for. */
  readonly config: () => Promise<TrivyConfig>;
  /** `containerd`, `cri-o`. */
  readonly runtimeName: string;
}

export type BoundScanner = (
  | { readonly kind: 'scanner'; readonly scanner: Scanner }
  /** The coordinator judges. */
  | { readonly kind: 'reader'; readonly reader: ImageReader }
) & {
  /** Scans at once. */
  readonly concurrency: number;
};
