import type { KubeObject } from '../kube/kube-object.ts';
import { PODS, type ObjectReference } from '../kube/resource.ts';
import type { Timing } from '../platform/timing.ts';
import { ClusterError } from './cluster-error.ts';
import type { ClusterSite } from './cluster-site.ts';

export interface DeletionPatience {
  readonly timeoutMs: number;
  readonly timing: Timing;
}

const POLL_MS = 200;

/** Until the object is gone, and what it owns before it. */
export async function deleteAndWait(site: ClusterSite, reference: ObjectReference, patience: DeletionPatience): Promise<void> {
  const { client, call } = site;
  if ((await client.delete(reference, { propagationPolicy: 'Foreground' }, call)) === 'absent') return;
  await untilGone(site, patience, async () => ((await client.find(reference, call)) === null ? [] : [reference.name]));
}

/** Until there are no pods of these labels any more. They are deleted, unless something else does. */
export async function untilPodsGone(
  site: ClusterSite,
  { labelSelector, areDeleted }: { readonly labelSelector: string; readonly areDeleted: boolean },
  patience: DeletionPatience,
): Promise<number> {
  const { client, namespace, call } = site;
  const pods = { resource: PODS, namespace };
  const list = async (): Promise<string[]> =>
    (await client.list(pods, { labelSelector, trim: ({ metadata }: KubeObject) => metadata.name }, call)).items;
  const found = await list();
  if (found.length === 0) return 0;
  if (!areDeleted) await client.deleteCollection(pods, { labelSelector }, call);
  await untilGone(site, patience, list);
  return found.length;
}

async function untilGone(
  { namespace, call }: ClusterSite,
  { timeoutMs, timing }: DeletionPatience,
  left: () => Promise<readonly string[]>,
): Promise<void> {
  const startedAt = timing.now();
  for (;;) {
    const names = await left();
    if (names.length === 0) return;
    if (timing.now() - startedAt >= timeoutMs) {
      throw new ClusterError({
        code: 'not-ready',
        message: `Deleted, but after ${Math.round(timeoutMs / 1000)} s not gone yet: ${names.slice(0, 10).join(', ')}`,
        hint: `The node of a pod that does not go may be down: kubectl get pods -n ${namespace} -o wide. Then repeat the command.`,
      });
    }
    await timing.sleep(POLL_MS, call.signal);
  }
}
