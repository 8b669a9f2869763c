import type { NodeRun } from '../api/coordinator/coordinator-api.ts';
import type { InventoryReport } from '../api/coordinator/inventory-call.ts';
import type { NodeResults } from '../api/coordinator/results-call.ts';
import type { ContainerLog, JobTotals, RunSummary } from '../api/run-record.ts';
import type { ImageAnalysis, ScannerInfo, ScanReport } from '../api/scan-report.ts';
import { RoomError } from '../platform/errors.ts';
import type { ImageHistory, PruneResult, Retention } from './history.ts';
import type { HistoryError } from './history-error.ts';
import type { StoredAnalysis } from './stored-analyses.ts';

/**
 * What the manager of a cluster remembers, in one file for all nodes, or in one database of a server. While that cannot be used (no space, no right to
 * write, another process writes, the server is away), a call rejects with a `HistoryError`, and it is tried again with the calls that follow. A file has
 * changed in nothing then; when a server went away in the midst of an answer, what was asked of it may have been done: the same once more is
 * written no second time. A call whose signal aborts before its turn changes nothing either. Calls may overlap.
 */
export interface ClusterHistory {
  /** The coordinator's `ImageKnowledge`. */
  readonly images: NodeImages;
  readonly scans: NodeScans;
  /** The coordinator's `ResultSink`. */
  readonly results: NodeResultRecords;
  /** The coordinator's `LogSink`. */
  readonly logs: ContainerLogs;
  /** May come again. */
  recordJobBegan(job: JobFacts, signal: AbortSignal): Promise<void>;
  /** From then on its nodes may be forgotten for want of room. May come again. */
  recordJobEnded(uid: string, endedAt: number, signal: AbortSignal): Promise<void>;
  /** null: nothing is on record of it. */
  readTotals(jobUid: string): Promise<JobTotals | null>;
  /** Of the job's nodes whose results came to their end, by node: their summaries; null: nothing was planned there. */
  readCompleted(jobUid: string, signal: AbortSignal): Promise<ReadonlyMap<string, RunSummary | null>>;
  /** By pod, in the order in which they began. */
  readLogs(run: NodeRun): Promise<readonly ContainerLog[]>;
  /** As of a machine's history; other calls have their turns in between. */
  prune(retention: ClusterRetention, signal: AbortSignal): Promise<PruneResult>;
  /** Why it could not be used when it was last tried; null: it could, or another process was writing to it. */
  readonly fault: HistoryError | null;
  /** What has been taken on is written first, if it can be. Calls reject from then on. */
  close(): Promise<void>;
}

/** A worker pod, and the node and job that it speaks for. */
export interface WorkerPod extends NodeRun {
  readonly podName: string;
  readonly podUid: string;
}

export interface NodeImages {
  /** Takes note of all that is on the node now, and gives its images' histories, this look included, by the present wall clock. */
  observe(pod: Pick<WorkerPod, 'node'>, report: InventoryReport, signal: AbortSignal): Promise<ReadonlyMap<string, ImageHistory>>;
}

/** What nodes have read of images, and what was found in that. By the ids as they were given, `sha256:…`. */
export interface NodeScans {
  /** An image without an entry has no report of the last day by just this scanner and its database. */
  readReports(
    wanted: { readonly imageIds: readonly string[]; readonly scanner: ScannerInfo },
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, ScanReport>>;
  /** An image without an entry was not read by this version of the scanner. */
  readAnalyses(
    wanted: { readonly imageIds: readonly string[]; readonly scanner: Pick<ScannerInfo, 'name' | 'version'> },
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, StoredAnalysis>>;
  /** But for those of a node of which all was taken back since `asOf`. */
  keep(scans: readonly NodeScan[], signal: AbortSignal): Promise<void>;
  /** The number of the last time that all that a node had told was taken back, by whatever process; it only grows. 0: there was none. */
  lastRevocation(signal: AbortSignal): Promise<number>;
  /** Whether what this node tells of images in this run counts no more. */
  isRevokedIn(run: NodeRun, signal: AbortSignal): Promise<boolean>;
}

export interface NodeScan {
  /** The node that read the image; null: it is not known. */
  readonly reportedBy: string | null;
  readonly report: ScanReport;
  /** null: it is kept already. */
  readonly analysis: ImageAnalysis | null;
  /** The last revocation when that was read which the report is made of. */
  readonly asOf: number;
}

export interface NodeResultRecords {
  /** null: there are none. */
  recordedDigest(run: NodeRun, signal: AbortSignal): Promise<string | null>;
  /**
   * Resolves when the results and their digest are on the disk; the same ones once more change nothing.
   * @throws ClusterHistoryError `recorded-otherwise`
   */
  record(run: NodeRun, results: NodeResults, digest: string, signal: AbortSignal): Promise<void>;
}

export interface LogPosition {
  /** How many pieces there have been: the number of the next one. */
  readonly pieces: number;
  /** Of all their lines, each with its line break. */
  readonly bytes: number;
}

export interface ContainerLogs {
  position(pod: Pick<WorkerPod, 'podUid'>, container: string, signal: AbortSignal): Promise<LogPosition>;
  /**
   * Resolves when the piece is on the disk; one that is there changes nothing.
   * @throws ClusterHistoryError `log-gap` when those before it are not there
   */
  append(pod: WorkerPod, piece: LogPiece, signal: AbortSignal): Promise<void>;
}

export interface LogPiece {
  readonly container: string;
  readonly sequence: number;
  readonly lines: readonly string[];
}

export interface JobFacts {
  readonly uid: string;
  readonly name: string;
  readonly mode: 'automatic' | 'manual';
  readonly startedAt: number;
}

export interface ClusterRetention extends Retention {
  /** All nodes of the cluster: what was on others is forgotten. Without it, a node is forgotten when nothing was heard of it for 100 days. */
  readonly nodes?: ReadonlySet<string>;
}

/**
 * What is on record is not what the caller knew, since another process has written to it: `recorded-otherwise`: it has other results of the node;
 * `log-gap`: it does not have the pieces before this one.
 */
export class ClusterHistoryError extends RoomError<'recorded-otherwise' | 'log-gap'> {}
