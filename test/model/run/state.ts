import type { RunNode } from '../../../src/controller/image-job/node-records.ts';
import type { Sighting } from '../../../src/controller/image-job/judge-node.ts';

/** How large a world is looked at, and what may go wrong in it. */
export interface RunBounds {
  readonly nodes: number;
  readonly jobs: number;
  readonly maxParallel: number;
  /** How many things may go wrong, in all. */
  readonly faults: number;
  /** How often the manager may have to look again for want of time, while a kubelet has something to do. */
  readonly waits: number;
  /** Whether a turn may begin before the process is told of what has changed since the last one. */
  readonly mayLag: boolean;
  /** Which. */
  readonly may: readonly Fault[];
}

export type Fault =
  /** The process that leads is killed, before any of its writes, and another one leads. What it had sent may be carried out, or not. */
  | 'leader'
  /** As before, but what it had sent is on its way, and carried out whenever it likes. */
  | 'late-calls'
  /** A write is carried out, and its answer is lost. */
  | 'lost-answer'
  /** A call is not carried out: the API server is away, or says no for now. */
  | 'lost-call'
  /** The API server admits no such pod. */
  | 'refused'
  /** Somebody deletes a worker pod. */
  | 'deleted'
  /** All containers of a worker pod end, and one has failed. */
  | 'pod-fails'
  /** One container fails, and others go on. */
  | 'container-fails'
  /** The coordinator has taken results of a node, and the worker does not hear of it. */
  | 'lost-acknowledgement'
  /** The results of a node are heard by a process that does not lead any more. */
  | 'old-coordinator'
  /** A kubelet does not answer. */
  | 'node-away'
  /** A node is deleted. */
  | 'node-gone';

export const ALL_FAULTS: readonly Fault[] = [
  'leader',
  'late-calls',
  'lost-answer',
  'lost-call',
  'refused',
  'deleted',
  'pod-fails',
  'container-fails',
  'lost-acknowledgement',
  'old-coordinator',
  'node-away',
  'node-gone',
];

/** A worker pod, as the API server has it, and what its worker knows. */
export interface Pod {
  readonly job: number;
  readonly node: number;
  /** How many pods of its name were there before it. */
  readonly copy: number;
  readonly at: 'new' | 'running' | 'failing' | 'succeeded' | 'failed';
  readonly isDeleting: boolean;
  /** For how long, up to when nobody waits for it any more. */
  readonly deletingMs: number;
  /** Whether its results are in the history, and whether it has heard so. */
  readonly told: 'no' | 'recorded' | 'acknowledged' | 'refused';
  /** Made by a call of a process that did not lead any more. */
  readonly isLate: boolean;
}

export type NodeHealth = 'ready' | 'away' | 'gone';

export interface Job {
  readonly exists: boolean;
  /** As an interned text; null: it has none. */
  readonly status: number | null;
  readonly hasEnded: boolean;
  /** Its end has yet to be put on record by who has asked for it. */
  readonly isAwaited: boolean;
  /** Configmaps that it owns, as interned texts, which are their resourceVersions, too. */
  readonly maps: Readonly<Record<string, number>>;
}

/** A write that was sent by a process that leads no more. */
export type LateCall = Exclude<CallFacts, { readonly op: 'find-pod' | 'list-maps' | 'read-history' }> & {
  /** Of a status: what it was computed from, and what it came to. */
  readonly from?: number | null;
  readonly to?: number;
};

/** The process that leads. */
export interface Leader {
  /** What it knew when its turn began, or knows between turns: an interned `Memory`. */
  readonly memory: number;
  /** Pods and jobs that have changed since it was told of them. */
  readonly untold: readonly string[];
  /** By job: in how many ms it is to be looked at; null: not before something asks. */
  readonly queue: readonly (number | null)[];
  readonly turn: Turn | null;
}

export interface Turn {
  readonly job: number;
  /** What lay around when it began. */
  readonly around: Around;
  /** What has come to it since. */
  readonly heard: readonly Heard[];
}

/** What is read without being followed: the health of nodes, and whose end is awaited. */
export interface Around {
  readonly nodes: readonly NodeHealth[];
  readonly awaited: readonly boolean[];
}

export type Heard = (
  | { readonly kind: 'answer'; readonly id: number; readonly answer: ApiAnswer }
  /** The coordinator of this process has put results on record. */
  | { readonly kind: 'results'; readonly job: number; readonly node: number }
) & { readonly around: Around };

export type ApiAnswer =
  | { readonly is: 'created'; readonly version: number }
  | { readonly is: 'exists' | 'refused' | 'done' | 'error' }
  | { readonly is: 'applied'; readonly version: number }
  | { readonly is: 'found'; readonly look: string | null }
  | { readonly is: 'listed'; readonly maps: readonly number[] }
  | { readonly is: 'reported'; readonly nodes: readonly number[] };

export type CallFacts =
  | { readonly op: 'create-pod'; readonly job: number; readonly node: number }
  | { readonly op: 'find-pod'; readonly job: number; readonly node: number }
  | { readonly op: 'delete-pod'; readonly job: number; readonly node: number; readonly copy: number }
  | { readonly op: 'delete-pods' | 'delete-maps' | 'delete-job' | 'list-maps' | 'read-history' | 'set-status'; readonly job: number }
  | { readonly op: 'create-map'; readonly job: number; readonly name: string; readonly content: number }
  | { readonly op: 'apply-map'; readonly job: number; readonly name: string; readonly content: number; readonly version: number | null };

export interface State {
  readonly jobs: readonly Job[];
  readonly pods: Readonly<Record<string, Pod>>;
  readonly nodes: readonly NodeHealth[];
  /** By job and node: of which copy of its pod the results are in the history. */
  readonly history: Readonly<Record<string, number>>;
  readonly leader: Leader;
  readonly late: readonly LateCall[];
  /** Whether there is a process that led, and may hear workers yet. */
  readonly isOldHeard: boolean;
  readonly faultsLeft: number;
  readonly waitsLeft: number;
  /** No kubelet answers any more, and nothing else goes wrong. */
  readonly isSilent: boolean;
  /** Nothing in the product knows of these: what the properties are about. */
  readonly seen: Witnessed;
}

export interface Witnessed {
  /** By job and node: how many pods were made. */
  readonly made: Readonly<Record<string, number>>;
  /** By job and node: somebody else deleted its pod. */
  readonly meddled: Readonly<Record<string, true>>;
  /** By job and node: its worker was told that its results are in the history. */
  readonly acknowledged: Readonly<Record<string, Acknowledged>>;
}

/**
 * `in-time`: the process that led had not decided on its node yet. `too-late`: it had. `forgotten`: another process leads, or has decided, which
 * had not heard of it, and had read before what is in the history: then what the pod says is all that there is.
 */
export type Acknowledged = 'in-time' | 'too-late' | 'forgotten';

/** A time of the process, ms ago; a text: none that there ever was. */
export type Age = number | 'Infinity' | '-Infinity';

/** All that a process knows and nobody else. */
export interface Memory {
  /** Its copy of the worker pods, by name: how they look. */
  readonly pods: Readonly<Record<string, string>>;
  /** Its copy of the jobs: their status. */
  readonly jobs: readonly (number | null | 'absent')[];
  readonly made: readonly { readonly name: string; readonly look: string; readonly isSeen: boolean }[];
  readonly reported: readonly { readonly job: number; readonly node: number }[];
  readonly runs: readonly (RunMemory | null)[];
  readonly leaving: readonly (Age | null)[];
  readonly cleared: readonly (Age | null)[];
}

export interface RunMemory {
  readonly nodes: readonly RunNode[];
  readonly unwritten: { readonly parts: readonly number[]; readonly outcomes: number; readonly since: Age };
  readonly version: number | null;
  readonly isInDoubt: boolean;
  readonly isStatusTold: boolean;
  readonly statusTold: Age;
  readonly known: Age;
  readonly sightings: readonly (readonly [string, Sighting['phase'], Age])[];
  readonly unready: readonly (readonly [string, Age])[];
  readonly unmade: readonly (readonly [string, Age])[];
  readonly nodesSeen: Age;
  readonly isEndTold: boolean;
}

export const nodeName = (node: number): string => `n${String(node)}`;
export const jobName = (job: number): string => `job-${String(job)}`;
export const jobUid = (job: number): string => `uid-${String(job)}`;
export const indexOf = (name: string): number => Number(/\d+$/.exec(name)?.[0]);
export const podUid = ({ job, node, copy }: Pick<Pod, 'job' | 'node' | 'copy'>): string =>
  `${jobUid(job)}.${nodeName(node)}.${String(copy)}`;
/** Of a job and a node. */
export const pairOf = (job: number, node: number): string => `${String(job)}/${String(node)}`;
