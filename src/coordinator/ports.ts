import type { NodeRun } from '../api/coordinator/coordinator-api.ts';
import type { InventoryReport } from '../api/coordinator/inventory-call.ts';
import type { NodeResults } from '../api/coordinator/results-call.ts';
import type { RunSettings } from '../api/coordinator/settings-call.ts';
import type { ImageAnalysis } from '../api/scan-report.ts';
import type { ImageHistories } from '../core/image-age.ts';
import type { PendingPod } from '../core/image-use.ts';

/**
 * What the coordinator needs of the rest. A call that rejects is answered as not possible now, and the worker asks again later: nothing may be lost
 * or done twice by that. Calls may overlap.
 */
export interface CoordinatorPorts {
  readonly tokens: Tokens;
  readonly workerPods: WorkerPods;
  readonly runs: Runs;
  readonly nodePods: NodePods;
  readonly images: ImageKnowledge;
  readonly results: ResultSink;
  readonly logs: LogSink;
  readonly verdicts: Verdicts;
}

/** Says whose token it is. */
export interface Tokens {
  /** By its signature; null: that cannot be told here. Whether its pod is still there, no signature tells. */
  verify(token: string, signal: AbortSignal): Promise<AuthenticatedToken | null>;
  /** By the API server, whose answer may be remembered for some seconds. */
  review(token: string, signal: AbortSignal): Promise<ReviewedToken>;
}

export interface AuthenticatedToken {
  readonly outcome: 'authenticated';
  readonly username: string;
  /** `authentication.kubernetes.io/pod-name`, `…/pod-uid`, `…/node-name` of a token that is bound to a pod. */
  readonly extra: Readonly<Record<string, readonly string[]>>;
  /** Those of ours that the token is meant for. */
  readonly audiences: readonly string[];
}

export type ReviewedToken = AuthenticatedToken | { readonly outcome: 'rejected'; readonly reason: string };

/** A pod that the controller made for a run. */
export interface WorkerPodRecord {
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  /** The uid of its ImageJob. */
  readonly job: string;
  /** The node that it is bound to; null: not known yet. */
  readonly node: string | null;
  readonly isFinished: boolean;
  /** It has been told to end, and may still work. */
  readonly isBeingDeleted: boolean;
}

export interface WorkerPods {
  /**
   * Our worker pod of this uid; null: there is none, or the run has given it up. A watch may be behind: what it does not have is to be asked of the
   * API server before the answer is null.
   */
  find(pod: { readonly uid: string; readonly name: string }, signal: AbortSignal): Promise<WorkerPodRecord | null>;
}

export interface Runs {
  /** What the run of this ImageJob goes by, the same each time; null: it is over, or was never ours. */
  settingsOf(job: string, signal: AbortSignal): Promise<RunSettings | null>;
  /** Whether the run goes on. Asked at every call. */
  isRunning(job: string, signal: AbortSignal): Promise<boolean>;
  /** When this process went on with the run after another one, with workers of it at work, on the clock of `Timing`; null: it did not. */
  takenUpAt(job: string): number | null;
}

export interface NodePods {
  /** The pods bound to the node that have not ended: read from the API server after the call, never from a watch. */
  list(node: string, signal: AbortSignal): Promise<readonly PendingPod[]>;
}

/** A worker that has proven who it is. */
export interface Worker extends NodeRun {
  readonly podName: string;
  readonly podUid: string;
}

export interface ImageKnowledge {
  /** Takes note of what is on the node; gives what is known of its images, by the wall clock of now, this time included. May come twice. */
  observe(worker: Worker, report: InventoryReport, signal: AbortSignal): Promise<ImageHistories>;
}

export interface WantedVerdicts {
  readonly imageIds: readonly string[];
  /** Whose analyses count; null: those of the version of Trivy's server. */
  readonly scannerVersion: string | null;
}

/** A `ScanReport` as JSON: it is sent as it is to each node that has the image. */
export type ReportJson = string;

export type Judged<Value> =
  | { readonly kind: 'judged'; readonly value: Value }
  /** Trivy's server cannot be asked. `mayPass`: it may by itself be there again. */
  | { readonly kind: 'away'; readonly why: string; readonly mayPass: boolean };

/** Judges images by what was read of them, on whatever node, by the vulnerability database that the cluster has now. */
export interface Verdicts {
  /** By the ids as they were given; of one without an entry, nothing that is of use was read yet. */
  read(wanted: WantedVerdicts, signal: AbortSignal): Promise<Judged<ReadonlyMap<string, ReportJson>>>;
  /**
   * Of what a worker has read just now; both are kept. In their order; null: what was read is of no use. `revoked`: what this node tells in this run
   * does not count. May come twice.
   */
  judge(
    worker: Worker,
    analyses: readonly ImageAnalysis[],
    signal: AbortSignal,
  ): Promise<Judged<readonly (ReportJson | null)[]> | { readonly kind: 'revoked' }>;
}

/** Keeps what came of each node in each run. The coordinator never has two calls about one node of one run under way. */
export interface ResultSink {
  /** The digest that the results of this node in this run were recorded with, by whatever process; null: they were not. */
  recordedDigest(run: NodeRun, signal: AbortSignal): Promise<string | null>;
  /** Records the results and their digest together, or not at all, and resolves when they would outlive this process. */
  record(worker: Worker, results: NodeResults, digest: string, signal: AbortSignal): Promise<void>;
}

export interface LogPosition {
  /** How many pieces are kept: the number of the next one. */
  readonly pieces: number;
  /** Of all pieces together. */
  readonly bytes: number;
}

/** Keeps what the containers of worker pods log. The coordinator never has two calls about one container of one pod under way. */
export interface LogSink {
  position(worker: Worker, container: string, signal: AbortSignal): Promise<LogPosition>;
  /** Appends the piece of this number: the one that `position` said. */
  append(
    worker: Worker,
    piece: { readonly container: string; readonly sequence: number; readonly lines: readonly string[] },
    signal: AbortSignal,
  ): Promise<void>;
}

/** What an operator has to be told of; none of it holds a token. */
export type CoordinatorEvent =
  | {
      readonly kind: 'call-refused';
      readonly code: string;
      readonly status: number;
      readonly reason: string;
      readonly method: string;
      /** Without a query, and cut. */
      readonly path: string;
      readonly remoteAddress: string;
      /** As far as the caller has proven them; null: it has not. */
      readonly pod: string | null;
      readonly node: string | null;
    }
  /** A port rejected, or took too long; without a path, a connection could not be taken. */
  | { readonly kind: 'call-failed'; readonly path: string; readonly pod: string | null; readonly error: unknown };

export type OnCoordinatorEvent = (event: CoordinatorEvent) => void;
