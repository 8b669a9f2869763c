import * as z from 'zod';
import { referenceKeys } from '../core/image-index.ts';
import { hasCode } from '../kube/kube-error.ts';
import type { ListOptions } from '../kube/list-pages.ts';
import { NODES, PODS, type Resource } from '../kube/resource.ts';
import type { ClusterSite } from './cluster-site.ts';

/** Where the API server knows an image from. A part is null where it may not be read. */
export interface ClusterTraces {
  /** The nodes that tell of it; each tells only of its largest images, by default fifty. */
  readonly nodes: readonly string[] | null;
  /** `NAMESPACE/NAME` of the pods whose containers name it. */
  readonly pods: readonly string[] | null;
}

const nodeSchema = z.object({
  metadata: z.object({ name: z.string() }),
  status: z.object({
    images: z
      .array(z.object({ names: z.array(z.string()).nullish() }))
      .nullish()
      .transform((images) => images ?? []),
  }),
});
const containers = z
  .array(z.object({ image: z.string().optional() }))
  .nullish()
  .transform((found) => found ?? []);
const podSchema = z.object({
  metadata: z.object({ name: z.string(), namespace: z.string() }),
  spec: z.object({ nodeName: z.string().optional(), containers, initContainers: containers }),
});

/** `wanted`: the texts in normal form that mean the image. `node`: what is on this node alone. */
export async function findTraces(site: ClusterSite, wanted: readonly string[], node: string | undefined): Promise<ClusterTraces> {
  const means = (name: string | undefined): boolean => name !== undefined && referenceKeys(name).some((key) => wanted.includes(key));
  const [nodes, pods] = await Promise.all([
    list(site, NODES, (object) => {
      const found = nodeSchema.safeParse(object).data;
      return found?.status.images.some(({ names }) => (names ?? []).some(means)) === true
        ? { node: found.metadata.name, name: found.metadata.name }
        : null;
    }),
    list(site, PODS, (object) => {
      const found = podSchema.safeParse(object).data;
      if (found === undefined || ![...found.spec.containers, ...found.spec.initContainers].some(({ image }) => means(image))) return null;
      return { node: found.spec.nodeName, name: `${found.metadata.namespace}/${found.metadata.name}` };
    }),
  ]);
  const namesOf = (found: readonly Trace[] | null): string[] | null =>
    found?.filter((trace) => node === undefined || trace.node === node).map(({ name }) => name) ?? null;
  return { nodes: namesOf(nodes), pods: namesOf(pods) };
}

interface Trace {
  readonly node: string | undefined;
  readonly name: string;
}

async function list({ client, call }: ClusterSite, resource: Resource, trim: ListOptions<Trace | null>['trim']): Promise<Trace[] | null> {
  try {
    const { items } = await client.list({ resource }, { trim }, call);
    return items.flatMap((item) => item ?? []);
  } catch (error) {
    if (hasCode(error, 'forbidden')) return null;
    throw error;
  }
}
