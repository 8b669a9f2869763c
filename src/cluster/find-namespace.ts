import type { KubeObject } from '../kube/kube-object.ts';
import { hasCode } from '../kube/kube-error.ts';
import type { CallOptions } from '../kube/api-connection.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import { DEPLOYMENTS } from '../kube/resource.ts';
import { LABELS, MANAGER } from '../installation/make-manifest.ts';
import { ClusterError } from './cluster-error.ts';

/** As Eraser's; AKS's is `kube-system`. */
export const DEFAULT_NAMESPACE = 'eraser-system';

/**
 * The namespace of the cluster's installation, for those who name none: the one that there is, else the default. Throws when there are several.
 * Who may not look at all namespaces has to name one that is not the default.
 */
export async function findNamespace(client: KubeClient, call: CallOptions): Promise<string> {
  const labelSelector = `app.kubernetes.io/name=${LABELS['app.kubernetes.io/name']}`;
  const trim = ({ metadata: { name, namespace = '' } }: KubeObject): string | null => (name === MANAGER ? namespace : null);
  const { items } = await client.list({ resource: DEPLOYMENTS }, { labelSelector, trim }, call).catch((error: unknown) => {
    if (hasCode(error, 'forbidden')) return { items: [] };
    throw error;
  });
  const found = items.flatMap((namespace) => namespace ?? []);
  const [namespace = DEFAULT_NAMESPACE, ...others] = found;
  if (others.length === 0) return namespace;
  throw new ClusterError({
    code: 'several-installations',
    message: `Image Cleaner is installed in several namespaces: ${found.toSorted().join(', ')}`,
    hint: "Name one with --namespace. Two that clean the same nodes get in each other's way: disable one of them.",
  });
}
