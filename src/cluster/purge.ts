import { COORDINATOR } from '../api/coordinator/coordinator-objects.ts';
import { EXCLUSION_LABEL } from '../api/exclusion-config-map.ts';
import { STATE_CONFIG_MAP } from '../api/state-config-map.ts';
import { JOB_UID_LABEL } from '../core/cluster/worker-pod.ts';
import { MANAGER } from '../installation/make-manifest.ts';
import { hasCode } from '../kube/kube-error.ts';
import {
  CONFIG_MAPS,
  DEFINITIONS,
  ENDPOINT_SLICES,
  LEASES,
  NAMESPACES,
  SECRETS,
  type ObjectReference,
  type Resource,
} from '../kube/resource.ts';
import { ClusterError } from './cluster-error.ts';
import type { ClusterSite } from './cluster-site.ts';
import { deleteAndWait, type DeletionPatience } from './delete-and-wait.ts';
import { listForeignObjects } from './foreign-objects.ts';
import { installationObjects } from './installation-objects.ts';
import { NO_SETTINGS } from './installed-settings.ts';
import { lookAtNamespace } from './look-at-namespace.ts';
import { IMAGE_JOBS, IMAGE_LISTS } from './own-kinds.ts';
import { findOtherInstallation } from './preflight.ts';
import { requireRights, type NeededRight } from './rights.ts';

/** What a purge takes from its users, beside the installation. */
export interface PurgeLosses {
  readonly imageLists: readonly string[];
  readonly imageJobs: number;
  /** Configmaps. */
  readonly exclusions: readonly string[];
}

const EXCLUSIONS = `${EXCLUSION_LABEL.name}=${EXCLUSION_LABEL.value}`;

export async function listLosses({ client, namespace, call }: ClusterSite): Promise<PurgeLosses> {
  const namesOf = async (resource: Resource): Promise<string[]> => {
    const listed = client.list({ resource }, { trim: ({ metadata }) => metadata.name }, call);
    // The kind itself may be gone already.
    return (await listed.catch((error: unknown) => (hasCode(error, 'not-found') ? { items: [] } : Promise.reject(error as Error)))).items;
  };
  const [imageLists, imageJobs, exclusions] = await Promise.all([
    namesOf(IMAGE_LISTS),
    namesOf(IMAGE_JOBS),
    client.list({ resource: CONFIG_MAPS, namespace }, { labelSelector: EXCLUSIONS, trim: ({ metadata }) => metadata.name }, call),
  ]);
  return { imageLists, imageJobs: imageJobs.length, exclusions: exclusions.items };
}

/** All that goes by name, in the order in which it goes: what others go by, last. */
function namedObjects(namespace: string): ObjectReference[] {
  const made = installationObjects(namespace, NO_SETTINGS, '').map(({ reference }) => reference);
  return [
    { resource: LEASES, namespace, name: MANAGER },
    { resource: SECRETS, namespace, name: COORDINATOR.secret },
    ...[STATE_CONFIG_MAP, COORDINATOR.caConfigMap].map((name) => ({ resource: CONFIG_MAPS, namespace, name })),
    ...made.filter(({ resource }) => resource !== NAMESPACES && resource !== DEFINITIONS).reverse(),
    ...made.filter(({ resource }) => resource === DEFINITIONS),
  ];
}

/** Before anything is removed. Throws a ClusterError `unfit`, also when another installation goes by the same definitions. */
export async function requirePurgeable(site: ClusterSite): Promise<void> {
  const { namespace } = site;
  const other = await findOtherInstallation(site);
  if (other !== null) {
    throw new ClusterError({
      code: 'unfit',
      message: `The manager in the namespace ${other} goes by the same definitions and roles, which a purge would remove.`,
      hint: `Nothing was changed. Disable that one first, or only disable this one, without --purge.`,
    });
  }
  const named = namedObjects(namespace).map(({ resource, namespace: place }): NeededRight => ({
    verb: 'delete',
    resource,
    ...(place === undefined ? {} : { namespace: place }),
  }));
  const together = [CONFIG_MAPS, ENDPOINT_SLICES].map((resource): NeededRight => ({ verb: 'deletecollection', resource, namespace }));
  await requireRights(site, [...named, ...together]);
}

/** What became of the namespace. */
export type PurgedNamespace =
  | { readonly kind: 'deleted' | 'absent' | 'not-ours' }
  /** `holds`: what of others' is in it. */
  | { readonly kind: 'in-use'; readonly holds: readonly string[] };

/** Takes away what is left after a disable: nothing of it is to run any more. */
export async function purge(site: ClusterSite, patience: DeletionPatience): Promise<PurgedNamespace> {
  const { client, namespace, call } = site;
  for (const labelSelector of [EXCLUSIONS, JOB_UID_LABEL]) {
    await client.deleteCollection({ resource: CONFIG_MAPS, namespace }, { labelSelector }, call);
  }
  const ofService = `kubernetes.io/service-name=${COORDINATOR.service}`;
  await client.deleteCollection({ resource: ENDPOINT_SLICES, namespace }, { labelSelector: ofService }, call);
  for (const reference of namedObjects(namespace)) {
    // A kind goes with its objects, and is not to be made anew while it does.
    if (reference.resource === DEFINITIONS) await deleteAndWait(site, reference, patience);
    else await client.delete(reference, {}, call);
  }
  return purgeNamespace(site, patience);
}

async function purgeNamespace(site: ClusterSite, patience: DeletionPatience): Promise<PurgedNamespace> {
  const owner = await lookAtNamespace(site);
  if (owner === null) return { kind: 'absent' };
  if (owner.madeBy === 'others') return { kind: 'not-ours' };
  const holds = await listForeignObjects(site);
  if (holds.length > 0) return { kind: 'in-use', holds };
  await deleteAndWait(site, { resource: NAMESPACES, name: site.namespace }, patience);
  return { kind: 'deleted' };
}
