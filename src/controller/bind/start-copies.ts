import { EXCLUSION_LABEL, SYSTEM_EXCLUSION_NAME } from '../../api/exclusion-config-map.ts';
import { CONFIG_MAP_NAME } from '../../api/eraser-config/config-map.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import type { KubeObject } from '../../kube/kube-object.ts';
import type { Selectors } from '../../kube/list-pages.ts';
import { Reflector } from '../../kube/reflector.ts';
import { CONFIG_MAPS, PODS, type Collection } from '../../kube/resource.ts';
import type { Timing } from '../../platform/timing.ts';
import { JOB_UID_LABEL } from '../../core/cluster/worker-pod.ts';
import { readPodFacts, type PodFacts } from '../image-job/pod-facts.ts';
import { KEYS } from '../keys.ts';
import type { Copies, Copy, Enqueue } from '../ports.ts';
import type { RawObject } from '../raw-object.ts';
import { IMAGE_JOBS, IMAGE_LISTS } from './bind-cluster-api.ts';

export interface CopiesOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly timing: Timing;
  readonly enqueue: Enqueue;
  /** A pod of this name came, changed or went. */
  readonly onPod: (name: string) => void;
  readonly onFault: (error: unknown) => void;
}

export interface RunningCopies {
  readonly copies: Copies;
  whenSynced(signal: AbortSignal): Promise<void>;
  /** Until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
  /** Of the copy that has heard nothing for the longest time. */
  readonly secondsSinceLastEvent: number;
}

/** The status of many pods changes at once; one look then is enough. */
const POD_DELAY_MS = 100;

/** Copies of all that is watched, which ask for a reconcile of what has changed. */
export function startCopies(options: CopiesOptions): RunningCopies {
  const { client, namespace, timing, enqueue, onPod, onFault } = options;
  const reflect = <T>(
    collection: Collection,
    selectors: Selectors,
    trim: (object: KubeObject) => T,
    onChange: (key: string) => void,
  ): Reflector<T> => new Reflector({ client, collection, ...selectors, trim, onChange, onFault, timing });
  const configMaps = { resource: CONFIG_MAPS, namespace };
  const onConfiguration = (): void => enqueue(KEYS.configuration);
  const imageLists = reflect({ resource: IMAGE_LISTS }, {}, withoutManagedFields, (name) => enqueue(KEYS.list(name)));
  const imageJobs = reflect({ resource: IMAGE_JOBS }, {}, withoutManagedFields, (name) => {
    for (const key of [KEYS.job(name), KEYS.actingList, KEYS.schedule]) enqueue(key);
  });
  const workerPods: Reflector<PodFacts> = reflect({ resource: PODS, namespace }, { labelSelector: JOB_UID_LABEL }, readPodFacts, (key) => {
    onPod(key.slice(key.indexOf('/') + 1));
    // A run may wait for the pod of another.
    for (const { metadata } of imageJobs.store.values()) enqueue(KEYS.job(metadata.name), POD_DELAY_MS);
  });
  const configuration = reflect(configMaps, { fieldSelector: `metadata.name=${CONFIG_MAP_NAME}` }, withoutManagedFields, onConfiguration);
  const labelled = reflect(
    configMaps,
    { labelSelector: `${EXCLUSION_LABEL.name}=${EXCLUSION_LABEL.value}` },
    withoutManagedFields,
    onConfiguration,
  );
  const system = reflect(configMaps, { fieldSelector: `metadata.name=${SYSTEM_EXCLUSION_NAME}` }, withoutManagedFields, onConfiguration);
  const exclusions: Copy<RawObject> = { values: () => [...labelled.store.values(), ...system.store.values()] };
  const all: readonly Pick<Reflector<unknown>, 'run' | 'whenSynced' | 'secondsSinceLastEvent'>[] = [
    imageLists,
    imageJobs,
    workerPods,
    configuration,
    labelled,
    system,
  ];
  return {
    copies: {
      imageLists: imageLists.store,
      imageJobs: imageJobs.store,
      workerPods: workerPods.store,
      configuration: configuration.store,
      exclusions,
    },
    whenSynced: async (signal) => {
      await Promise.all(all.map((reflector) => reflector.whenSynced(signal)));
    },
    run: async (signal) => {
      await Promise.all(all.map((reflector) => reflector.run(signal)));
    },
    get secondsSinceLastEvent() {
      return Math.max(...all.map((reflector) => reflector.secondsSinceLastEvent));
    },
  };
}

/** They are the larger part of many objects, and nothing reads them. */
function withoutManagedFields(object: KubeObject): RawObject {
  return { ...object, metadata: { ...object.metadata, managedFields: undefined } };
}
