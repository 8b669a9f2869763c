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
/** Without a manager nobody takes what a worker would still have to tell, for which it has longer otherwise. */
const WORKER_GRACE_SECONDS = 10;

/** Until the object is gone, and what it owns before it. */
export async function deleteAndWait(site: ClusterSite, reference: ObjectReference, patience: DeletionPatience): Promise<void> {
  const { client, call } = site;
  if ((await client.delete(reference, { propagationPolicy: 'Foreground' }, call)) === 'absent') return;
  await untilGone(site, patience, async () => ((await client.find(reference, call)) === null ? [] : [reference.name]));
}

/** Deletes the pods of these labels, which are workers without a manager, and waits until they are gone. Resolves to how many there were. */
export async function deleteWorkerPods(site: ClusterSite, labelSelector: string, patience: DeletionPatience): Promise<number> {
  const { client, namespace, call } = site;
  return untilPodsGone(site, labelSelector, patience, () =>
    client.deleteCollection({ resource: PODS, namespace }, { labelSelector, gracePeriodSeconds: WORKER_GRACE_SECONDS }, call),
  );
}

/** Until there are no pods of these labels any more. Resolves to how many there were; `begin` is called if there were any. */
export async function untilPodsGone(
  site: ClusterSite,
  labelSelector: string,
  patience: DeletionPatience,
  begin: () => Promise<void> = () => Promise.resolve(),
): Promise<number> {
  const { client, namespace, call } = site;
  const pods = { resource: PODS, namespace };
  const list = async (): Promise<string[]> =>
    (await client.list(pods, { labelSelector, trim: ({ metadata }: KubeObject) => metadata.name }, call)).items;
  const found = await list();
  if (found.length === 0) return 0;
  await begin();
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
