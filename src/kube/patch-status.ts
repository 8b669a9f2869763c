import * as z from 'zod';
import type { CallOptions } from './api-connection.ts';
import type { KubeClient } from './kube-client.ts';
import { hasCode } from './kube-error.ts';
import type { KubeObject } from './kube-object.ts';
import { type JsonObject, planMergePatch } from './plan-merge-patch.ts';
import type { ObjectReference } from './resource.ts';

export interface StatusChange {
  /** The object as it was last seen. */
  readonly observed: KubeObject;
  /** The whole status that the object is to have. Asked again, with the object as it then is, when another changed it meanwhile. */
  readonly statusOf: (object: KubeObject) => JsonObject;
}

export type PatchedStatus =
  | { readonly outcome: 'patched' | 'unchanged'; readonly object: KubeObject }
  /** It was deleted meanwhile, or one of the same name is another. */
  | { readonly outcome: 'gone' };

/** Others may write into the same object; who loses that often has a busier neighbour than a status is worth waiting for. */
const MOST_TRIES = 5;

const statusSchema = z.looseObject({}).catch({});

/**
 * Brings an object's status to what it is to be, by one merge patch of what differs, bound to the version that it was computed from. Makes
 * no request when nothing differs. Throws `conflict` after five lost races.
 */
export async function patchStatus(
  client: Pick<KubeClient, 'find' | 'patchStatus'>,
  reference: ObjectReference,
  { observed, statusOf }: StatusChange,
  call: CallOptions,
): Promise<PatchedStatus> {
  let object = observed;
  for (let tries = 1; ; tries++) {
    const status = planMergePatch(statusSchema.parse(object['status'] ?? {}), statusOf(object));
    if (status === null) return { outcome: 'unchanged', object };
    const { uid, resourceVersion } = object.metadata;
    try {
      const patch = { metadata: { uid, resourceVersion }, status };
      return { outcome: 'patched', object: await client.patchStatus(reference, { strategy: 'merge', patch }, call) };
    } catch (error) {
      if (hasCode(error, 'not-found')) return { outcome: 'gone' };
      if (!hasCode(error, 'conflict') || tries === MOST_TRIES) throw error;
    }
    const current = await client.find(reference, call);
    if (current === null || current.metadata.uid !== observed.metadata.uid) return { outcome: 'gone' };
    object = current;
  }
}
