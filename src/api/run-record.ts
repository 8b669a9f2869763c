import type { KeepReason, RemoveReason } from './decision.ts';
import type { FilesystemUsage, RuntimeVersion } from './inventory.ts';
import type { ScannerInfo } from './scan-report.ts';

/**
 * What the history keeps of runs. All times are milliseconds since the epoch by the machine's clock as it was then: for people to read, not to
 * reckon ages with.
 */

/**
 * How a run ended. `running`: it has not. `refused`: nothing was removed, since it was not confirmed or could not be decided safely.
 * `killed`: its process ended without a word; the next run has found out what became of its removals.
 */
export const RUN_STATES = ['running', 'completed', 'failed', 'refused', 'interrupted', 'killed'] as const;
export type RunState = (typeof RUN_STATES)[number];

/** What is known of a run when it begins. */
export interface RunStart {
  readonly startedAt: number;
  /** `manual`: it has a list of images; `automatic`: the rules choose. */
  readonly mode: 'automatic' | 'manual';
  /** Of Image Cleaner. */
  readonly version: string;
  readonly pid: number;
  readonly host: string;
  /** Who asked: the login name, or the numeric user id; the one behind sudo where there is one. */
  readonly user: string;
  readonly runtimeEndpoint: string;
  /** The command line, without secrets. */
  readonly command: readonly string[];
}

/** Numbers of images, and bytes. */
export interface RunSummary {
  readonly images: number;
  readonly keep: number;
  readonly remove: number;
  readonly removed: number;
  readonly absent: number;
  readonly keptAfterAll: number;
  readonly failed: number;
  readonly notAttempted: number;
  /** Images that the scanner read in this run, and those whose verdict came from the history. */
  readonly scanned: number;
  readonly verdictsReused: number;
  readonly estimatedBytes: number;
  readonly reclaimedBytes: number;
}

/** What is known of a run when it ends. */
export interface RunEnd {
  readonly endedAt: number;
  readonly state: Exclude<RunState, 'running'>;
  /** Why it failed or refused; null: it did not. */
  readonly message: string | null;
  /** null: it ended before that was known. */
  readonly summary: RunSummary | null;
  readonly filesystem: { readonly before: FilesystemUsage; readonly after: FilesystemUsage } | null;
}

/** What a run on a node of a cluster has beside what every run has. */
export interface NodeOfRun {
  readonly name: string;
  /** The ImageJob that the run was a part of. `name` null: its beginning is not on record. */
  readonly job: { readonly uid: string; readonly name: string | null };
  /** By the manager's clock. */
  readonly recordedAt: number;
  /** Findings that the node left out of the reasons, since all together were too large to be sent. */
  readonly omittedFindings: number;
}

export interface RunRecord extends RunStart, Omit<RunEnd, 'endedAt' | 'state'> {
  /** Not on one machine. With it, `host` is the node, times are by its clock, and process, user and command are not known: 0 or empty. */
  readonly node?: NodeOfRun;
  /** 1, 2, 3 … in order of their beginnings (on nodes, in the order in which they were recorded); never used twice. */
  readonly id: number;
  readonly endedAt: number | null;
  readonly state: RunState;
  readonly runtime: RuntimeVersion | null;
  /** null: the scanner was off, or was not needed. */
  readonly scanner: ScannerInfo | null;
}

/**
 * What came of a decision to remove. `planned`: its turn has not come; `in-hand`: its turn has come, and the runtime may have been asked. Both
 * are found only in a run that goes on or was killed and not yet looked after; all else as in the report of a run.
 */
export const REMOVAL_STATES = ['planned', 'in-hand', 'removed', 'absent', 'kept', 'failed', 'not-attempted'] as const;
export type RemovalState = (typeof REMOVAL_STATES)[number];

export interface RemovalRecord {
  readonly state: RemovalState;
  /** When it came to this state; null: only planned. */
  readonly at: number | null;
  /** Of a failure, or what was found out about a removal after its run was killed. */
  readonly message: string | null;
  /** The safety rule that kept the image after all. */
  readonly keptBy: KeepReason | null;
  /** By estimate; 0 unless removed. */
  readonly reclaimedBytes: number;
}

/** A reason on record that this version cannot read: a newer one wrote it, or it is damaged. */
export interface UnreadableReason {
  readonly code: 'unreadable';
  /** The code of the reason itself. */
  readonly recordedCode: string;
}

/** One decision of one run, with the image's names as they were then. */
export interface DecisionRecord {
  readonly runId: number;
  readonly imageId: string;
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
  readonly sizeBytes: number;
  /** Bytes that the removal was estimated to free; 0 for an image that stays. */
  readonly estimatedBytes: number;
  readonly ruling:
    | { readonly outcome: 'keep'; readonly reason: KeepReason | UnreadableReason }
    | { readonly outcome: 'remove'; readonly reason: RemoveReason | UnreadableReason };
  /** null: the image was to stay. */
  readonly removal: RemovalRecord | null;
}

/** What came of an ImageJob, over all of its nodes. */
export interface JobTotals {
  /** null where the job's beginning is not on record. */
  readonly name: string | null;
  readonly mode: 'automatic' | 'manual' | null;
  readonly startedAt: number | null;
  /** null: it goes on, or its end is not on record. */
  readonly endedAt: number | null;
  /** Nodes whose results are on record, or were. */
  readonly nodes: number;
  /** How many of them ended in each state. */
  readonly states: Readonly<Record<RunEnd['state'], number>>;
  /** Over all of them; a node that came to no plan adds nothing. */
  readonly sums: RunSummary;
}

export interface JobRecord extends JobTotals {
  readonly uid: string;
}

/** What a container of a worker pod has logged. */
export interface ContainerLog {
  readonly podName: string;
  readonly container: string;
  readonly lines: readonly string[];
  /** Pieces that are not in `lines`: the oldest, dropped for want of room, and damaged ones. */
  readonly missingPieces: number;
}
