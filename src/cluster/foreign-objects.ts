import * as z from 'zod';
import type { KubeObject } from '../kube/kube-object.ts';
import type { Resource } from '../kube/resource.ts';
import type { ClusterSite } from './cluster-site.ts';

const resourceListSchema = z.object({
  groupVersion: z.string(),
  resources: z.array(z.object({ name: z.string(), namespaced: z.boolean(), verbs: z.array(z.string()) })),
});
const groupListSchema = z.object({ groups: z.array(z.object({ preferredVersion: z.object({ groupVersion: z.string() }) })) });

/**
 * What is in the namespace, of any kind that the API server knows, but for what Kubernetes puts into each: `configmaps notes`. Throws when one of
 * the kinds cannot be listed, for then it is not known.
 */
export async function listForeignObjects(site: ClusterSite): Promise<string[]> {
  const { client, namespace, call } = site;
  const resources = await listResources(site);
  const found = await Promise.all(
    resources.map(async (resource) => {
      const { items } = await client.list({ resource, namespace }, { trim: nameOfForeign(resource) }, call);
      return items.flatMap((name) => (name === null ? [] : [`${resource.plural} ${name}`]));
    }),
  );
  return found.flat();
}

/** All kinds that can be in a namespace, and be deleted. */
async function listResources({ client, call }: ClusterSite): Promise<Resource[]> {
  const { groups } = groupListSchema.parse(await client.getPath('/apis', call));
  const paths = ['/api/v1', ...groups.map(({ preferredVersion }) => `/apis/${preferredVersion.groupVersion}`)];
  const lists = await Promise.all(paths.map(async (path) => resourceListSchema.parse(await client.getPath(path, call))));
  return lists.flatMap(({ groupVersion, resources }) => {
    const [first = '', second] = groupVersion.split('/');
    const [group, version] = second === undefined ? ['', first] : [first, second];
    return resources
      .filter(({ name, namespaced, verbs }) => namespaced && !name.includes('/') && verbs.includes('list') && verbs.includes('delete'))
      .map(({ name: plural }) => ({ group, version, plural, namespaced: true }));
  });
}

/** In every namespace. */
const KUBERNETES_OWN = ['configmaps kube-root-ca.crt', 'serviceaccounts default'];

function nameOfForeign({ plural }: Resource): (object: KubeObject) => string | null {
  return (object) => {
    const { name, deletionTimestamp } = object.metadata as { readonly name: string; readonly deletionTimestamp?: string };
    const isToken = plural === 'secrets' && object['type'] === 'kubernetes.io/service-account-token';
    const isOwn = plural === 'events' || isToken || KUBERNETES_OWN.includes(`${plural} ${name}`);
    return isOwn || deletionTimestamp !== undefined ? null : name;
  };
}
