import { CONFIG_MAP_NAME } from '../api/eraser-config/config-map.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { hasCode } from '../kube/kube-error.ts';
import type { CallOptions } from '../kube/api-connection.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import { CONFIG_MAPS, DEPLOYMENTS } from '../kube/resource.ts';
import { LABELS, MANAGER } from '../installation/make-manifest.ts';
import { ClusterError } from './cluster-error.ts';

/** As Eraser's; AKS's is `kube-system`. */
export const DEFAULT_NAMESPACE = 'eraser-system';

/**
 * The namespace of the cluster's installation, for those who name none: that of the manager, else, as after a disable or with Eraser, that of a
 * configuration, else the default. Throws when there are several. Who may not look at all namespaces has to name one that is not the default.
 */
export async function findNamespace(client: KubeClient, call: CallOptions): Promise<string> {
  const labelSelector = `app.kubernetes.io/name=${LABELS['app.kubernetes.io/name']}`;
  const managers = await namespacesOf(client.list({ resource: DEPLOYMENTS }, { labelSelector, trim: namespaceOf(MANAGER) }, call));
  if (managers.length > 0) return theOnly(managers, 'Image Cleaner is installed');
  const fieldSelector = `metadata.name=${CONFIG_MAP_NAME}`;
  const configured = await namespacesOf(
    client.list({ resource: CONFIG_MAPS }, { fieldSelector, trim: namespaceOf(CONFIG_MAP_NAME) }, call),
  );
  return configured.length === 0 ? DEFAULT_NAMESPACE : theOnly(configured, `A configmap ${CONFIG_MAP_NAME} is`);
}

function namespaceOf(wanted: string): (object: KubeObject) => string | null {
  return ({ metadata: { name, namespace = '' } }) => (name === wanted ? namespace : null);
}

async function namespacesOf(listed: Promise<{ readonly items: readonly (string | null)[] }>): Promise<string[]> {
  const { items } = await listed.catch((error: unknown) => {
    if (hasCode(error, 'forbidden')) return { items: [] };
    throw error;
  });
  return items.flatMap((namespace) => namespace ?? []);
}

function theOnly(found: readonly string[], what: string): string {
  const [namespace, ...others] = found;
  if (namespace !== undefined && others.length === 0) return namespace;
  throw new ClusterError({
    code: 'several-installations',
    message: `${what} in several namespaces: ${found.toSorted().join(', ')}`,
    hint: "Name one with --namespace. Two that clean the same nodes get in each other's way: disable one of them.",
  });
}
