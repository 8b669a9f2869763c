import { JOB_UID_LABEL } from '../core/cluster/worker-pod.ts';
import { LABELS, MANAGER } from '../installation/make-manifest.ts';
import { CONFIG_MAPS, DEPLOYMENTS, PODS } from '../kube/resource.ts';
import { ClusterError } from './cluster-error.ts';
import type { ClusterSite } from './cluster-site.ts';
import { changeConfiguration, readConfiguration } from './configuration-store.ts';
import { deleteAndWait, deleteWorkerPods, untilPodsGone, type DeletionPatience } from './delete-and-wait.ts';
import { SETTINGS_ANNOTATION, settingsOfDeployment } from './installed-settings.ts';
import { requireRights } from './rights.ts';

/** What a disable found at work. */
export interface Disabled {
  /** false: it was disabled before, or never enabled. */
  readonly hadManager: boolean;
  /** Of runs that were under way. */
  readonly workerPods: number;
}

/**
 * Takes the workloads away, the manager first, since it would make worker pods anew, and waits until they are gone. What they go by stays. Throws a
 * ClusterError `refused` when the manager is not ours.
 */
export async function disable(site: ClusterSite, patience: DeletionPatience): Promise<Disabled> {
  const { client, namespace, call } = site;
  await requireRights(site, [
    ...(['get', 'delete'] as const).map((verb) => ({ verb, resource: DEPLOYMENTS, namespace })),
    ...(['get', 'patch'] as const).map((verb) => ({ verb, resource: CONFIG_MAPS, namespace })),
    ...(['list', 'deletecollection'] as const).map((verb) => ({ verb, resource: PODS, namespace })),
  ]);
  const reference = { resource: DEPLOYMENTS, namespace, name: MANAGER };
  const deployment = await client.find(reference, call);
  if (deployment !== null) {
    const labels = (deployment.metadata['labels'] ?? {}) as Readonly<Record<string, string>>;
    if (labels['app.kubernetes.io/name'] !== LABELS['app.kubernetes.io/name']) throw notOurs(namespace);
    await rememberSettings(site, JSON.stringify(settingsOfDeployment(deployment)));
    await deleteAndWait(site, reference, patience);
    await untilPodsGone(site, 'control-plane=controller-manager,app.kubernetes.io/name=image-cleaner', patience);
  }
  const workerPods = await deleteWorkerPods(site, JOB_UID_LABEL, patience);
  return { hadManager: deployment !== null, workerPods };
}

function notOurs(namespace: string): ClusterError {
  return new ClusterError({
    code: 'refused',
    message: `The Deployment ${MANAGER} in the namespace ${namespace} is not Image Cleaner's, but Eraser's.`,
    hint: 'Remove it with what it was installed with (helm uninstall eraser), or take it over: image-cleaner cluster enable',
  });
}

/** For the next enable, so that images and flags need not be named again. */
async function rememberSettings(site: ClusterSite, settings: string): Promise<void> {
  const stored = await readConfiguration(site);
  if (stored !== null) await changeConfiguration(site, stored, { annotations: { [SETTINGS_ANNOTATION]: settings } });
}
