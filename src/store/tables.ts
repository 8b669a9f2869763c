import type { Generated } from 'kysely';

/**
 * The tables, as the last migration leaves them. Columns that end in `_ms` hold history time (history-clock.ts), those that end in `_at` wall
 * time, both in milliseconds; `json` is text.
 */
export interface Tables {
  readonly clock: ClockTable;
  readonly run_holder: RunHolderTable;
  readonly run: RunTable;
  readonly image: ImageTable;
  readonly sighting: SightingTable;
  readonly sighted_runtime: SightedRuntimeTable;
  readonly image_name: ImageNameTable;
  readonly naming: NamingTable;
  readonly reason: ReasonTable;
  readonly decision: DecisionTable;
  readonly scan_report: ScanReportTable;
  readonly analysis: AnalysisTable;
  readonly analysis_part: AnalysisPartTable;
  readonly part: PartTable;
  readonly scanner_version: ScannerVersionTable;
  readonly revocation: RevocationTable;
  readonly job: JobTable;
  readonly node_run: NodeRunTable;
  readonly log: LogTable;
  readonly log_piece: LogPieceTable;
  readonly log_size: LogSizeTable;
}

/** The last reading of all clocks; one row. */
export interface ClockTable {
  readonly id: 1;
  readonly history_ms: number;
  readonly wall_at: number;
  readonly boot_id: string;
  readonly uptime_ms: number;
}

/** Who last took the lock of runs; one row. Of no meaning while the lock is free. */
export interface RunHolderTable {
  readonly id: 1;
  readonly pid: number;
  readonly host: string;
  readonly since_at: number;
}

export interface RunTable {
  readonly id: number;
  readonly began_ms: number;
  readonly started_at: number;
  readonly ended_at: number | null;
  readonly state: string;
  readonly mode: string;
  readonly version: string;
  readonly pid: number;
  readonly host: string;
  readonly asked_by: string;
  readonly runtime_endpoint: string;
  readonly command: string;
  readonly message: string | null;
  readonly runtime: string | null;
  readonly scanner: string | null;
  readonly summary: string | null;
  readonly filesystem: string | null;
}

/** Every image ever decided on. */
export interface ImageTable {
  readonly key: Generated<number>;
  /** Without `sha256:`, so that one image is one row however a runtime writes its id. */
  readonly id_key: string;
  /** As the runtime wrote it. */
  readonly id: string;
}

/** The present stay of an image in one runtime, or its last one. An image that our own run removed has none. */
export interface SightingTable {
  /** In a cluster, the node's own (node-endpoint.ts). */
  readonly runtime_endpoint: string;
  /** As of an image. */
  readonly id_key: string;
  readonly first_seen_ms: number;
  readonly first_seen_at: number;
  readonly last_seen_ms: number;
  readonly last_seen_at: number;
  /** null: never seen in use. */
  readonly last_in_use_ms: number | null;
  readonly last_in_use_at: number | null;
}

/** The last time that all images of a runtime were looked at. */
export interface SightedRuntimeTable {
  readonly runtime_endpoint: string;
  readonly sighted_ms: number;
}

/** Every name that an image had when it was decided on. */
export interface ImageNameTable {
  readonly name: string;
  readonly image_key: number;
}

/** The names and the size of an image at one time: the same for most of its decisions, so kept once. */
export interface NamingTable {
  readonly key: Generated<number>;
  readonly hash: string;
  readonly repo_tags: string;
  readonly repo_digests: string;
  readonly size_bytes: number;
}

/** A reason may hold hundreds of findings, and many decisions have the same: each is kept once. */
export interface ReasonTable {
  readonly key: Generated<number>;
  readonly hash: string;
  readonly code: string;
  /** null: it is long, and packed in `packed`. */
  readonly json: string | null;
  readonly packed: Uint8Array | null;
}

export interface DecisionTable {
  readonly run_id: number;
  readonly image_key: number;
  /** Its place in the plan. */
  readonly position: number;
  readonly naming_key: number;
  readonly outcome: string;
  readonly reason_key: number;
  readonly estimated_bytes: number;
  /** null: the image was to stay. */
  readonly removal_state: string | null;
  readonly removal_at: number | null;
  readonly removal_message: string | null;
  readonly kept_by: string | null;
  readonly reclaimed_bytes: number;
  /** 1: what became of it was found out after its run was killed, and no audit log has it yet. */
  readonly audit_due: Generated<number>;
}

/** The last report of a scanner on an image. */
export interface ScanReportTable {
  readonly id_key: string;
  readonly scanner_name: string;
  readonly scanner_version: string;
  readonly database_updated_at: string;
  readonly database_mark: string;
  readonly judged_ms: number;
  readonly judged_at: number;
  /** The node whose scan it was; null: of this machine. */
  readonly reported_by: string | null;
  /** As of a reason. */
  readonly json: string | null;
  readonly packed: Uint8Array | null;
}

/** What a scanner last read out of an image. */
export interface AnalysisTable {
  readonly id_key: string;
  readonly scanner_name: string;
  readonly scanner_version: string;
  readonly kept_ms: number;
  /** The report's own form of the id. */
  readonly image_id: string;
  readonly recipe: Uint8Array;
  /** The node that read it; null: this machine. */
  readonly reported_by: string | null;
}

export interface AnalysisPartTable {
  readonly id_key: string;
  readonly scanner_name: string;
  readonly position: number;
  readonly part_key: number;
}

/** A piece of analyses; those of images that share a layer are one. */
export interface PartTable {
  readonly key: Generated<number>;
  readonly scanner_name: string;
  readonly scanner_version: string;
  readonly content_key: string;
  readonly packed: Uint8Array;
}

export interface ScannerVersionTable {
  readonly identity: string;
  readonly version: string;
  readonly told_ms: number;
}

/** All that a node had told of images by then was taken back. Keys only grow, so the last one says whether there was another since. */
export interface RevocationTable {
  readonly key: Generated<number>;
  readonly node: string;
  readonly revoked_ms: number;
  readonly revoked_at: number;
}

/** An ImageJob of a cluster. */
export interface JobTable {
  readonly key: Generated<number>;
  readonly uid: string;
  /** When it was first heard of. */
  readonly began_ms: number;
  /** null, as are the two that follow: a node or a log told of the job, and its beginning is not on record. */
  readonly name: string | null;
  readonly mode: string | null;
  readonly started_at: number | null;
  readonly ended_at: number | null;
  /** JSON: the sums over its nodes, those that are forgotten included. */
  readonly totals: string;
}

/** What a run of a node has beside what every run has. */
export interface NodeRunTable {
  readonly run_id: number;
  readonly job_key: number;
  readonly node: string;
  /** Of the results as they were sent. */
  readonly digest: string;
  /** By the clock of the one who recorded it; the times of the run are by the node's. */
  readonly recorded_at: number;
  readonly omitted_findings: number;
}

/** What a container of a worker pod has logged. */
export interface LogTable {
  readonly key: Generated<number>;
  readonly pod_uid: string;
  readonly container: string;
  readonly pod_name: string;
  readonly job_key: number;
  readonly node: string;
  /** All that ever came, those that are dropped included. */
  readonly pieces: number;
  readonly bytes: number;
  readonly last_ms: number;
}

/** The oldest of all are dropped when there is no room for a new one. */
export interface LogPieceTable {
  readonly key: Generated<number>;
  readonly log_key: number;
  readonly sequence: number;
  readonly packed: Uint8Array;
}

/** Bytes of all pieces, kept up to date by triggers; one row. */
export interface LogSizeTable {
  readonly id: 1;
  readonly bytes: number;
}
