import type { WorkerFrame } from '../../core/cluster/worker-pod.ts';
import type { EndedWave } from '../../core/cluster/plan-waves.ts';
import type { Protection } from '../../core/plan-facts.ts';
import type { AcceptedConfiguration } from '../../core/cluster/accept-configuration.ts';
import type { JobIdentity } from './frozen-config-maps.ts';
import type { RunKind } from './image-job-object.ts';
import type { Sighting } from './judge-node.ts';
import type { RunNode } from './node-records.ts';

export interface Unwritten {
  readonly parts: ReadonlySet<number>;
  /** How many outcomes of nodes are among it. */
  readonly outcomes: number;
  /** Since when there is anything, on the clock that nobody can set. */
  readonly since: number;
}

export const NOTHING_UNWRITTEN: Unwritten = { parts: new Set(), outcomes: 0, since: Infinity };

/** A run that has begun, as this process knows it: what is frozen, what is on record, and what it has seen itself. */
export interface Run {
  readonly job: JobIdentity;
  readonly kind: RunKind;
  readonly configuration: Pick<AcceptedConfiguration, 'config' | 'components' | 'nodeFilter' | 'maxParallel' | 'maxFailed'>;
  readonly configMaps: WorkerFrame['configMaps'];
  /** What workloads want again (rule 5); none in a manual run. */
  readonly protections: readonly Protection[];
  /** By node. */
  readonly podNames: ReadonlyMap<string, string>;
  /** As they are known, in the parts that they are stored in. */
  parts: readonly (readonly RunNode[])[];
  /** What of that is not on record yet. */
  unwritten: Unwritten;
  /** By part: the resourceVersion of its configmap, so that no other process's records are written over. */
  readonly versions: (string | null)[];
  /** A write was not answered, or refused: what is on record has to be read again. */
  isInDoubt: boolean;
  /** Whether its job's status says what is on record; when it was told last. */
  isStatusTold: boolean;
  statusToldAt: number;
  /** Since when this process knows of it, as all times here on the clock that nobody can set. */
  knownSince: number;
  sightings: ReadonlyMap<string, Sighting>;
  /** By node: since when it has been seen not ready. */
  readonly unreadySince: Map<string, number>;
  /** By node: since when making a pod for it has failed. */
  readonly unmadeSince: Map<string, number>;
  /** When the nodes of pods in flight were looked at last; -Infinity: not yet by this process. */
  nodesSeenAt: number;
  /** Of a run with pauses. By node: the wave that it was begun with in, as pods and records say. */
  readonly waves: Map<string, number>;
  /** The wave that this process has seen to have ended; the pause after it begins anew with a controller that takes over. */
  endedWave: EndedWave | null;
  /** The wave after which a pause goes on; null: none does. */
  pausedAfter: number | null;
  /** Whether it was told in an Event that no more nodes are begun with. */
  isStopTold: boolean;
  /** Whether its end was told in an Event. */
  isEndTold: boolean;
}
