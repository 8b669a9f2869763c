import type { WorkerFrame } from '../../core/cluster/worker-pod.ts';
import type { AcceptedConfiguration } from '../configuration/accept-configuration.ts';
import type { JobIdentity } from './frozen-config-maps.ts';
import type { RunKind } from './image-job-object.ts';
import type { Sighting } from './judge-node.ts';
import type { RunNode } from './node-records.ts';

/** A run that has begun, as this process knows it: what is frozen, what is on record, and what it has seen itself. */
export interface Run {
  readonly job: JobIdentity;
  readonly kind: RunKind;
  readonly configuration: Pick<AcceptedConfiguration, 'config' | 'components'>;
  readonly configMaps: WorkerFrame['configMaps'];
  /** By node. */
  readonly podNames: ReadonlyMap<string, string>;
  /** As they are on record, in the parts that they are stored in. */
  parts: readonly (readonly RunNode[])[];
  sightings: ReadonlyMap<string, Sighting>;
  /** By node: since when it has been seen not ready. */
  readonly unreadySince: Map<string, number>;
  /** When the nodes of pods in flight were looked at last. */
  nodesSeenAt: number;
  /** Whether its end was told in an Event. */
  isEndTold: boolean;
}
