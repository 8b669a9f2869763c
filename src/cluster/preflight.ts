import * as z from 'zod';
import { parseClusterNode } from '../api/cluster-node.ts';
import type { NodeFilter } from '../core/cluster/node-filter.ts';
import { formatSkipReason, selectNodes } from '../core/cluster/select-nodes.ts';
import { MANAGER } from '../installation/make-manifest.ts';
import { hasCode } from '../kube/kube-error.ts';
import { DEPLOYMENTS, NODES } from '../kube/resource.ts';
import { ClusterError } from './cluster-error.ts';
import type { ClusterSite } from './cluster-site.ts';
import type { InstallationObject } from './installation-objects.ts';
import { judgeConfiguration } from './judge-configuration.ts';
import type { FoundNamespace } from './look-at-namespace.ts';
import { requireRights, type NeededRight } from './rights.ts';

/** The definitions of the kinds, server-side apply and the conditions that the manager reads are the same from there on. */
const LEAST_MINOR = 28;
const versionSchema = z.object({ major: z.string(), minor: z.string(), gitVersion: z.string() });

/** @throws ClusterError `unfit` */
export async function requireServerVersion({ client, call }: ClusterSite): Promise<void> {
  const { major, minor, gitVersion } = versionSchema.parse(await client.getPath('/version', call));
  // Some providers write `28+`.
  if (Number(major) > 1 || (Number(major) === 1 && Number.parseInt(minor, 10) >= LEAST_MINOR)) return;
  throw new ClusterError({
    code: 'unfit',
    message: `The cluster is of version ${gitVersion}; Image Cleaner needs 1.${LEAST_MINOR} or later.`,
    hint: `Nothing was changed. Upgrade the cluster at ${client.server}, or name another with --context.`,
  });
}

/** Two managers would clean the same nodes. Throws a ClusterError `unfit`. */
export async function refuseSecondInstallation(site: ClusterSite): Promise<void> {
  const other = await findOtherInstallation(site);
  if (other === null) return;
  throw new ClusterError({
    code: 'unfit',
    message: `There is a Deployment ${MANAGER} in the namespace ${other} already; a second one in ${site.namespace} would clean the same nodes.`,
    hint: `Nothing was changed. Use that one (-n ${other}), or remove it first: image-cleaner cluster disable -n ${other}, of Eraser with its own means.`,
  });
}

/** The namespace of a manager elsewhere, ours or Eraser's; null: there is none, or who asks may not look at all namespaces. */
export async function findOtherInstallation({ client, namespace, call }: ClusterSite): Promise<string | null> {
  const fieldSelector = `metadata.name=${MANAGER}`;
  const { items } = await client
    .list({ resource: DEPLOYMENTS }, { fieldSelector, trim: ({ metadata }) => metadata.namespace ?? '' }, call)
    .catch((error: unknown) => {
      if (hasCode(error, 'forbidden')) return { items: [] };
      throw error;
    });
  return items.find((found) => found !== namespace) ?? null;
}

/** Worker pods mount a folder of the node. Throws a ClusterError `unfit` where Pod Security forbids that, and nobody but its users may change it. */
export function requireFitNamespace(namespace: string, found: FoundNamespace | null): void {
  if (found?.isBeingDeleted === true) {
    throw new ClusterError({
      code: 'unfit',
      message: `The namespace ${namespace} is being deleted.`,
      hint: `Wait until it is gone, then try again: kubectl wait --for=delete namespace/${namespace}`,
    });
  }
  if (found?.madeBy !== 'others' || (found.podSecurity ?? 'privileged') === 'privileged') return;
  throw new ClusterError({
    code: 'unfit',
    message: `Pod Security of the namespace ${namespace} is "${found.podSecurity}"; worker pods mount the folder of the runtime's socket, and need "privileged".`,
    hint: `Nothing was changed. Allow it (kubectl label namespace ${namespace} pod-security.kubernetes.io/enforce=privileged --overwrite), or name another namespace with -n.`,
  });
}

/** Rights to look at what is there, and to make it. A Role grants rights only to whom has them: that the API server says when it is planned. */
export function rightsFor(objects: readonly InstallationObject[], namespace: string): NeededRight[] {
  const made = objects.flatMap(({ reference: { resource, namespace: place } }) =>
    (['get', 'create', 'patch'] as const).map((verb) => ({ verb, resource, ...(place === undefined ? {} : { namespace: place }) })),
  );
  const watched = (['pods', 'replicasets'] as const).map((plural): NeededRight => {
    const group = plural === 'pods' ? '' : 'apps';
    return { verb: 'list', resource: { group, version: 'v1', plural, namespaced: true }, namespace };
  });
  return [...made, ...watched];
}

export const requireRightsFor = (site: ClusterSite, objects: readonly InstallationObject[]): Promise<void> =>
  requireRights(site, rightsFor(objects, site.namespace));

/** A line for each kind of node that no run will clean. */
export async function describeNodes({ client, call }: ClusterSite, configuration: string): Promise<string[]> {
  const judged = judgeConfiguration(configuration);
  const filter = judged.ok ? judged.accepted.nodeFilter : NO_FILTER;
  const listed = await client.list({ resource: NODES }, { trim: parseClusterNode }, call).catch((error: unknown) => {
    if (hasCode(error, 'forbidden')) return null;
    throw error;
  });
  if (listed === null) return ['Which nodes will be cleaned is not told: you may not list nodes.'];
  const { participating, skipped } = selectNodes(
    listed.items.flatMap((node) => (node.ok ? [node.value] : [])),
    filter,
  );
  const lines = skipped.map(({ name, reason }) => `  skipped  ${name}: ${formatSkipReason(reason)}`);
  const all = participating.length + skipped.length;
  const more = lines.length > MOST_SHOWN ? [`  and ${lines.length - MOST_SHOWN} more`] : [];
  return [`${participating.length} of ${all} nodes will be cleaned.`, ...lines.slice(0, MOST_SHOWN), ...more];
}

const MOST_SHOWN = 10;
const NO_FILTER: NodeFilter = { type: 'exclude', selectors: [] };
