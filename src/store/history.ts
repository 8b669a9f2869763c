import type { NodeRun } from '../api/coordinator/coordinator-api.ts';
import type { Decision, KeepReason, RemoveDecision } from '../api/decision.ts';
import type { NodeImage, RuntimeVersion } from '../api/inventory.ts';
import type { NodeVerdict } from '../api/node-verdict.ts';
import type { ContainerLog, DecisionRecord, JobRecord, RunEnd, RunRecord, RunStart } from '../api/run-record.ts';
import type { ImageAnalysis, ScannerInfo, ScanReport } from '../api/scan-report.ts';

/**
 * What is remembered from one run to the next. Every call rejects with a `HistoryError` when the history cannot be read or written, save where
 * said otherwise. Calls may overlap.
 */
export interface History {
  /**
   * The right to clean: one run at a time for each history file. The kernel gives it back when the process ends, however it ends. Dry runs need
   * none, and read and write beside a run.
   * `holder`: what those who come later are told.
   * @throws HistoryError `locked`, with process, host and start of the run that holds it.
   */
  lockRuns(holder: LockHolder): Promise<RunLock>;
  /** Runs that have not ended although nobody else can be running, since the lock is held (it must be): their processes are dead. Not those begun here. Oldest first. */
  unfinishedRuns(): Promise<UnfinishedRun[]>;
  /**
   * Finds out what became of the removals of a dead run. `present`: the image ids in the runtime now. Needs the lock. Rejects for want of space,
   * too: then the run stays unfinished, and a later one can still find out.
   */
  settleKilledRun(runId: number, present: ReadonlySet<string>, at: number): Promise<RunRecord>;
  /** Removals of killed runs, settled since, that no audit log has yet; oldest run first. */
  unauditedRuns(): Promise<UnauditedRun[]>;
  /** Of a run: an audit log has them now. Needs the lock. */
  markAudited(runId: number): Promise<void>;
  /** Needs the lock. Does not reject for want of space. */
  beginRun(start: RunStart): Promise<RunWriter>;

  /** Newest first. `since` and `until`: bounds of the start, inclusive, in milliseconds since the epoch. */
  listRuns(query: RunQuery): Promise<RunRecord[]>;
  readRun(runId: number): Promise<RunRecord | null>;
  /** In the order of the plan. */
  readDecisions(runId: number): Promise<DecisionRecord[]>;
  /** Newest first: the decisions on every image that any of the query's terms means, whatever names the image had in each run. */
  readImageDecisions(query: ImageQuery): Promise<DecisionRecord[]>;

  /** Of a cluster: its jobs, newest first. */
  listJobs(query: Pick<RunQuery, 'since' | 'until' | 'limit'>): Promise<JobRecord[]>;
  /** By name or uid; of several of one name, the newest. null: nothing is on record of it. */
  findJob(nameOrUid: string): Promise<JobRecord | null>;
  /** The nodes whose worker pods have logged something in a job, by its uid. */
  listLoggedNodes(jobUid: string): Promise<string[]>;
  /** By pod, in the order in which they began. */
  readLogs(run: NodeRun): Promise<ContainerLog[]>;
  /** Of a cluster: what is kept of images that this node has read, or any node has. null: this node was never heard of. */
  readVerdicts(node?: string): Promise<NodeVerdict[] | null>;

  /** What is remembered of the images of one runtime, named by its endpoint as in `RunStart`. */
  memoryOf(runtimeEndpoint: string): RuntimeMemory;

  readonly scanRecords: ScanRecords;

  /** Lets go of what is older or more than wanted, and gives the space back to the filesystem. The last run always stays. */
  prune(retention: Retention): Promise<PruneResult>;
  close(): Promise<void>;
}

/** Ages are of one runtime: the same image may be old in one and new in another that shares the history. */
export interface RuntimeMemory {
  /** Takes note of all that is in the runtime now. Does not reject for want of space. */
  recordSightings(seen: Sightings): Promise<void>;
  /** Times by the present wall clock: now less the age, so that steps of the clock change no age. Images never seen are absent. */
  readImageHistories(imageIds: readonly string[]): Promise<ReadonlyMap<string, ImageHistory>>;
  /** Both of the above; the engine's `ImageMemory`. What cannot be written for want of space is in the answer all the same. */
  observe(seen: Sightings): Promise<ReadonlyMap<string, ImageHistory>>;
}

export interface LockHolder {
  readonly pid: number;
  readonly host: string;
  readonly startedAt: number;
}

export interface RunLock {
  release(): void;
}

export interface RunWriter {
  readonly runId: number;
  /** The whole plan; on the disk when it resolves, unless the disk is full. */
  planned(plan: PlannedRun): Promise<void>;
  /** Resolves when it would outlive this process. */
  removalBegan(decision: RemoveDecision): Promise<void>;
  removalEnded(removal: RemovalEnd): Promise<void>;
  /** @throws HistoryError `full` when there is no space even now: the caller's report is then all there is of this run. */
  end(end: RunEnding): Promise<void>;
}

export interface PlannedRun {
  readonly runtime: RuntimeVersion;
  readonly scanner: ScannerInfo | null;
  readonly decisions: readonly Decision[];
  /** All names of an image in the normal form in which `readImageDecisions` is asked for them: `docker.io/library/nginx:1`, `…@sha256:…`. */
  readonly namesOf: (image: Omit<NodeImage, 'pinned'>) => readonly string[];
}

/** The engine's `Removal`, by shape. */
export interface RemovalEnd {
  readonly decision: RemoveDecision;
  readonly outcome:
    | { readonly kind: 'removed' }
    | { readonly kind: 'absent' }
    | { readonly kind: 'kept'; readonly reason: KeepReason }
    | { readonly kind: 'failed'; readonly message: string }
    | { readonly kind: 'not-attempted' };
}

export interface RunEnding extends RunEnd {
  /** By image id; an image without an entry freed nothing. */
  readonly reclaimedBytes: ReadonlyMap<string, number>;
}

export interface UnfinishedRun {
  readonly run: RunRecord;
  /** The decisions whose removal is `planned` or `in-hand`. */
  readonly open: readonly OpenRemoval[];
}

export interface UnauditedRun {
  readonly run: RunRecord;
  readonly removals: readonly DecisionRecord[];
}

/** Without the reason: one that cannot be read, such as that of a newer version, stops no run. */
export interface OpenRemoval {
  readonly imageId: string;
  readonly state: 'planned' | 'in-hand';
}

export interface RunQuery {
  readonly since?: number;
  readonly until?: number;
  /** Of a cluster. */
  readonly node?: string;
  /** The uid of the job, of a cluster. */
  readonly job?: string;
  readonly limit: number;
}

export interface ImageQuery {
  readonly imageIds?: readonly string[];
  /** In the normal form of `PlannedRun.namesOf`. */
  readonly names?: readonly string[];
  /** The beginning of an image id, with or without `sha256:`. */
  readonly idPrefix?: string;
  /** Of a cluster. */
  readonly node?: string;
  readonly limit: number;
}

export interface Sightings {
  readonly images: readonly NodeImage[];
  readonly inUse: ReadonlySet<string>;
}

/** Of the present stay: an image that was gone, by our own hand too, and has come back is new. */
export interface ImageHistory {
  readonly firstSeenAt: number;
  /** null: never seen in use. */
  readonly lastInUseAt: number | null;
}

/** What a history is asked for. */
export type HistoryReader = Pick<
  History,
  | 'listRuns'
  | 'readRun'
  | 'readDecisions'
  | 'readImageDecisions'
  | 'listJobs'
  | 'findJob'
  | 'listLoggedNodes'
  | 'readLogs'
  | 'readVerdicts'
  | 'close'
>;

/** The engine's `ScanRecords`, and what the scanner's own adapter asks. */
export interface ScanRecords {
  readReports(imageIds: readonly string[], scanner: ScannerInfo): Promise<ReadonlyMap<string, ScanReport>>;
  readAnalyses(imageIds: readonly string[], scanner: ScannerInfo): Promise<ReadonlyMap<string, ImageAnalysis>>;
  keep(report: ScanReport, analysis: ImageAnalysis | null): Promise<void>;
  /** Of one scanner, at once. */
  keepReports(reports: readonly ScanReport[]): Promise<void>;
  /** One piece of an analysis by this version of the scanner, whichever image it was read from. */
  readPart(key: string, scanner: Pick<ScannerInfo, 'name' | 'version'>): Promise<Uint8Array | null>;
  /** `identity`: what tells one binary from another, such as path, size and time of change. Does not reject for want of space. */
  rememberScannerVersion(identity: string, version: string): Promise<void>;
  readScannerVersion(identity: string): Promise<string | null>;
}

export interface Retention {
  readonly maxAgeMs: number;
  readonly maxBytes: number;
}

export interface PruneResult {
  readonly runs: number;
  readonly analyses: number;
  /** Of the file, after; or about those of the rows, where a server has it. */
  readonly bytes: number;
}
