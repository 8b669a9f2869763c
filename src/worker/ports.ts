import type { LogPiece } from '../api/coordinator/logs-call.ts';
import type { ScanAnswer, ScanExchange } from '../api/coordinator/scans-call.ts';
import type { FilesystemUsage, NodeInventory, RuntimeVersion } from '../api/inventory.ts';
import type { DecisionRecord, RunEnd } from '../api/run-record.ts';
import type { ScanPolicy } from '../api/scan-policy.ts';
import type { ScannerInfo } from '../api/scan-report.ts';
import type { DiskLimits } from '../core/disk-pressure.ts';
import type { ImageHistories } from '../core/image-age.ts';
import type { PendingPod } from '../core/image-use.ts';
import type { Protection } from '../core/plan-facts.ts';

/**
 * The controller's side of a run, as one worker pod sees it. Which run and which node it is about, the adapter knows. Each call is repeated by the
 * adapter while the coordinator is away, until the signal aborts; then it rejects, and so it does at once when the coordinator refuses: an absent
 * answer is never an empty one.
 */
export interface Coordinator {
  /** What was decided when the run began, the same for every worker of the run. */
  readTask(signal: AbortSignal): Promise<WorkerTask>;
  /** Takes note of what is on the node now; gives what is known of these images, this time included. */
  reportInventory(seen: SeenInventory, signal: AbortSignal): Promise<ImageHistories>;
  /** Tells what was read of images, and asks for results, and for images to read. */
  exchangeScans(exchange: ScanExchange, signal: AbortSignal): Promise<ScanAnswer>;
  /** The pods bound to this node that have not ended, with all images that they name, as they are now. */
  listPendingPods(signal: AbortSignal): Promise<readonly PendingPod[]>;
  /** Resolves once the result is kept; the same result twice counts once. */
  reportResult(result: NodeResult, signal: AbortSignal): Promise<void>;
}

/** What a run goes by, beside the exclusions and the list that are mounted. */
export interface WorkerTask {
  /** null: the scanner is off. A custom scanner goes by a policy of its own. */
  readonly scanPolicy: ScanPolicy | null;
  readonly minAgeMs: number;
  /** null: no greatest age. */
  readonly maxAgeMs: number | null;
  /** null: no disk threshold. */
  readonly diskLimits: DiskLimits | null;
  readonly protections: readonly Protection[];
}

/** Takes the log of a container. The adapter repeats a piece until it is acknowledged; then it resolves. */
export interface LogSink {
  /** `isFull`: no more of it is kept. */
  sendLog(piece: LogPiece, signal: AbortSignal): Promise<{ readonly isFull: boolean }>;
}

export interface SeenInventory {
  readonly inventory: NodeInventory;
  /** The ids of the images that something uses now. */
  readonly inUse: ReadonlySet<string>;
  /** Of the images; null: it cannot be read from here. */
  readonly filesystem: FilesystemUsage | null;
}

/** What came of a run on this node. The times are milliseconds since the epoch by the node's clock. */
export interface NodeResult extends RunEnd {
  readonly startedAt: number;
  readonly mode: 'automatic' | 'manual';
  /** null: the runtime was not reached. */
  readonly runtime: RuntimeVersion | null;
  /** null: the verdicts are of no scanner of ours, or none was needed. */
  readonly scanner: ScannerInfo | null;
  /** One for each image on the node; empty where there was no plan. */
  readonly decisions: readonly Omit<DecisionRecord, 'runId'>[];
}
