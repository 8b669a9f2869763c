import type { ProtectingObject } from '../../api/decision.ts';
import type { PodReference, WorkloadReference } from '../../api/workload-references.ts';
import { compareTexts } from '../compare-texts.ts';
import type { PendingPod } from '../image-use.ts';
import type { Protection } from '../plan-facts.ts';

/**
 * Rule 1: the pods that are bound to a node and have not ended, whether their containers exist there already or not. A pod that is being
 * deleted counts: its containers may run on for as long as it was given.
 */
export function pendingPodsOf(node: string, pods: readonly PodReference[]): PendingPod[] {
  return pods
    .filter(({ nodeName, isFinished }) => nodeName === node && !isFinished)
    .map(({ namespace, name, imageReferences }) => ({ namespace, name, imageReferences }));
}

/**
 * Rule 5: the workloads that will want their images again without a container for them now: CronJobs, suspended ones too; Jobs that have not
 * ended; what is scaled to zero; and of each Deployment, StatefulSet and DaemonSet the last `keptRevisions` revisions before the present one. In
 * order of kind, namespace and name.
 */
export function planProtections(workloads: readonly WorkloadReference[], keptRevisions: number): Protection[] {
  const kept = revisionsToKeep(workloads, keptRevisions);
  return workloads
    .filter((workload) => workload.imageReferences.length > 0 && (kept.has(workload) || isWantedAgain(workload)))
    .map(({ kind, namespace, name, imageReferences }) => ({ object: { kind, namespace, name }, imageReferences }))
    .sort((a, b) => compareTexts(sortKey(a.object), sortKey(b.object)));
}

/** Whether a workload can protect anything, whatever others there are. */
export function mayProtect(workload: WorkloadReference, keptRevisions: number): boolean {
  return isWantedAgain(workload) || (keptRevisions > 0 && isRevision(workload) && workload.ownerUid !== null);
}

function isWantedAgain(workload: WorkloadReference): boolean {
  switch (workload.kind) {
    case 'CronJob':
      return true;
    case 'Job':
      return !workload.isFinished;
    case 'Deployment':
    case 'StatefulSet':
    case 'DaemonSet':
      return workload.replicas === 0;
    case 'ReplicaSet':
      // One that a Deployment owns is at zero because it is an old revision.
      return workload.ownerUid === null && workload.replicas === 0;
    case 'ControllerRevision':
      return false;
  }
}

type RevisionReference = WorkloadReference & { readonly kind: 'ReplicaSet' | 'ControllerRevision' };

function revisionsToKeep(workloads: readonly WorkloadReference[], keptRevisions: number): ReadonlySet<WorkloadReference> {
  const kept = new Set<WorkloadReference>();
  if (keptRevisions <= 0) return kept;
  const byOwner = new Map<string, RevisionReference[]>();
  for (const workload of workloads) {
    if (!isRevision(workload) || workload.ownerUid === null) continue;
    // One whose place is not known may be any of the last ones.
    if (workload.revision === null) kept.add(workload);
    else byOwner.set(workload.ownerUid, [...(byOwner.get(workload.ownerUid) ?? []), workload]);
  }
  for (const revisions of byOwner.values()) {
    const newestFirst = revisions.sort((a, b) => (b.revision ?? 0) - (a.revision ?? 0));
    for (const revision of newestFirst.slice(1, 1 + keptRevisions)) kept.add(revision);
  }
  return kept;
}

function isRevision(workload: WorkloadReference): workload is RevisionReference {
  return workload.kind === 'ReplicaSet' || workload.kind === 'ControllerRevision';
}

function sortKey({ kind, namespace, name }: ProtectingObject): string {
  return [kind, namespace, name].join('\n');
}
