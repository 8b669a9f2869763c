import {
  apiVersionOf,
  CONFIG_MAPS,
  NODES,
  PODS,
  WORKLOADS,
  type Collection,
  type ObjectReference,
  type Resource,
} from '../../kube/resource.ts';
import { API_GROUP } from '../../api/custom-resource.ts';
import { IMAGE_JOB } from '../../api/image-job.ts';
import { IMAGE_LIST } from '../../api/image-list.ts';
import { hasCode, type KubeError } from '../../kube/kube-error.ts';
import type { WorkloadKind } from '../../api/workload-references.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import type { KubeObject } from '../../kube/kube-object.ts';
import { patchStatus } from '../../kube/patch-status.ts';
import type { JsonObject } from '../../kube/plan-merge-patch.ts';
import type { ClusterApi, ObjectKind } from '../ports.ts';

const customResource = (plural: string): Resource => ({ group: API_GROUP, version: 'v1', plural, namespaced: false });

export const IMAGE_LISTS = customResource(IMAGE_LIST.plural);
export const IMAGE_JOBS = customResource(IMAGE_JOB.plural);

const RESOURCES: Readonly<Record<ObjectKind, Resource>> = {
  ConfigMap: CONFIG_MAPS,
  Pod: PODS,
  Node: NODES,
  ImageList: IMAGE_LISTS,
  ImageJob: IMAGE_JOBS,
};

export const FIELD_MANAGER = 'eraser-controller-manager';

export interface BindClusterApiOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  /** Whether this process certainly leads, at this moment. */
  readonly isHeld: () => boolean;
}

/** Another process may lead: what this one was about to write may be out of date. */
export class NotLeading extends Error {
  constructor() {
    super('nothing is written: this process does not lead any more');
    this.name = 'NotLeading';
  }
}

export function bindClusterApi({ client, namespace, isHeld }: BindClusterApiOptions): ClusterApi {
  const collection = (kind: ObjectKind): { readonly resource: Resource; readonly namespace?: string } => {
    const resource = RESOURCES[kind];
    return resource.namespaced ? { resource, namespace } : { resource };
  };
  const listed = (kind: ObjectKind | WorkloadKind): Collection =>
    kind in WORKLOADS ? { resource: WORKLOADS[kind as WorkloadKind] } : collection(kind as ObjectKind);
  const reference = (kind: ObjectKind, name: string): ObjectReference => ({ ...collection(kind), name });
  const guard = (): void => {
    if (!isHeld()) throw new NotLeading();
  };
  return {
    find: (kind, name, signal) => client.find(reference(kind, name), { signal }),
    list: async (kind, { labelSelector, trim }, signal) => {
      const options = { trim, ...(labelSelector === undefined ? {} : { labelSelector }) };
      return (await client.list(listed(kind), options, { signal })).items;
    },
    create: async (kind, object, signal) => {
      guard();
      try {
        return { outcome: 'created', object: await client.create(collection(kind), object, { signal }) };
      } catch (error) {
        if (hasCode(error, 'already-exists')) return { outcome: 'exists' };
        if (isRefusal(error)) return { outcome: 'refused', message: error.status?.message ?? error.message };
        throw error;
      }
    },
    apply: async (configMap, signal) => {
      guard();
      const object = { ...configMap, apiVersion: apiVersionOf(CONFIG_MAPS), kind: 'ConfigMap' };
      const patch = { strategy: 'apply', object, fieldManager: FIELD_MANAGER, force: true } as const;
      return client.patch(reference('ConfigMap', configMap.metadata.name), patch, { signal });
    },
    setStatus: async ({ kind, object }, statusOf, signal) => {
      guard();
      const change = { observed: object, statusOf: (current: KubeObject) => statusOf(current) as JsonObject };
      await patchStatus(client, reference(kind, object.metadata.name), change, { signal });
    },
    delete: async (kind, { name, uid }, signal) => {
      guard();
      try {
        await client.delete(reference(kind, name), { preconditions: { uid }, propagationPolicy: 'Background' }, { signal });
      } catch (error) {
        // Another of the same name: the one that was meant is gone.
        if (!hasCode(error, 'conflict')) throw error;
      }
    },
    deleteAll: async (kind, labelSelector, signal) => {
      guard();
      await client.deleteCollection(collection(kind), { labelSelector, propagationPolicy: 'Background' }, { signal });
    },
  };
}

/**
 * Of this object, by its content or by what is admitted. A missing right is none: it may be granted. Rights are asked for before the object is read, so
 * that only an admission knows its name.
 */
function isRefusal(error: unknown): error is KubeError {
  return hasCode(error, 'invalid') || (hasCode(error, 'forbidden') && error.status?.details.name !== undefined);
}
