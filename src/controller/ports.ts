import type { WorkloadKind } from '../api/workload-references.ts';
import type { RemovedFromNode } from '../core/cluster/summarise-job.ts';
import type { PodFacts } from './image-job/pod-facts.ts';
import type { RawObject } from './raw-object.ts';

/** Configmaps and pods are those of the controller's own namespace. */
export type ObjectKind = 'ConfigMap' | 'Pod' | 'Node' | 'ImageList' | 'ImageJob';

export type Created =
  | { readonly outcome: 'created'; readonly object: RawObject }
  | { readonly outcome: 'exists' }
  /** By the API server, for what the object says or by what it admits: to ask again is of no use. A right that is missing rejects: it may be granted. */
  | { readonly outcome: 'refused'; readonly message: string };

/**
 * The Kubernetes API. A call is repeated by the adapter while the API server is away, for some time; then it rejects, and the reconcile is run again
 * later. Writes reject once another process may lead.
 */
export interface ClusterApi {
  /** As it is now, never from a copy; null: there is none. */
  find(kind: ObjectKind, name: string, signal: AbortSignal): Promise<RawObject | null>;
  /** In pages, as they are now; `trim`: what is kept of each. Workloads are those of all namespaces. */
  list<T>(
    kind: ObjectKind | WorkloadKind,
    options: { readonly labelSelector?: string; readonly trim: (object: RawObject) => T },
    signal: AbortSignal,
  ): Promise<T[]>;
  create(kind: ObjectKind, object: object, signal: AbortSignal): Promise<Created>;
  /** Server-side apply of a configmap; with a resourceVersion it rejects when the object is of another. */
  apply(configMap: RawObject, signal: AbortSignal): Promise<RawObject>;
  /** Brings the status to what `statusOf` says, by one patch of what differs; asked again when another changed the object meanwhile. */
  setStatus(
    observed: { readonly kind: 'ImageList' | 'ImageJob'; readonly object: RawObject },
    statusOf: (object: RawObject) => object,
    signal: AbortSignal,
  ): Promise<void>;
  /** Only the object of this uid. */
  delete(kind: ObjectKind, object: { readonly name: string; readonly uid: string }, signal: AbortSignal): Promise<void>;
  deleteAll(kind: ObjectKind, labelSelector: string, signal: AbortSignal): Promise<void>;
}

/** A copy of a collection that follows its changes. */
export interface Copy<T> {
  values(): readonly T[];
}

/** What is watched. */
export interface Copies {
  readonly imageLists: Copy<RawObject>;
  readonly imageJobs: Copy<RawObject>;
  readonly workerPods: Copy<PodFacts>;
  /** The one of the configuration, those that are labelled as exclusion lists, and the system's exclusion list. */
  readonly configuration: Copy<RawObject>;
  readonly exclusions: Copy<RawObject>;
}

/** An Event of Kubernetes about an object. */
export interface EventFacts {
  readonly regarding: {
    readonly apiVersion: string;
    readonly kind: string;
    readonly namespace?: string;
    readonly name: string;
    readonly uid?: string;
  };
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly action: string;
  readonly note: string;
}

/** The same fact again counts up the first. Never throws. */
export type RecordEvent = (event: EventFacts) => void;

/** What the history is to know of a run as a whole; `uid` and `name` are those of its job. */
export interface RunFacts {
  readonly uid: string;
  readonly name: string;
  readonly run: 'automatic' | 'manual';
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** Milliseconds since the epoch; null: it goes on. */
  readonly endedAt: number | null;
}

/** May be told the same again, after a restart. Rejects while the history cannot be written. */
export type RecordRun = (facts: RunFacts, signal: AbortSignal) => Promise<void>;

/**
 * By node: what of a job's results is in the history, completed, by whatever process it was recorded. Rejects while the history cannot be read; then the
 * reconcile is run again later.
 */
export type ReadReported = (jobUid: string, signal: AbortSignal) => Promise<ReadonlyMap<string, RemovedFromNode>>;

/** Asks for a reconcile of a key. */
export type Enqueue = (key: string, afterMs?: number) => void;
