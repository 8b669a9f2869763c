import * as z from 'zod';
import { NAMESPACES } from '../kube/resource.ts';
import type { ClusterSite } from './cluster-site.ts';
import { MADE_BY_US } from './installation-objects.ts';

export interface FoundNamespace {
  readonly madeBy: 'us' | 'others';
  /** The level of Pod Security that is enforced; null: the cluster's default. */
  readonly podSecurity: string | null;
  readonly isBeingDeleted: boolean;
}

const namespaceSchema = z.object({
  metadata: z.object({ labels: z.record(z.string(), z.string()).default({}), deletionTimestamp: z.string().optional() }),
});

/** The installation's; null: it is not there. */
export async function lookAtNamespace({ client, namespace, call }: ClusterSite): Promise<FoundNamespace | null> {
  const found = await client.find({ resource: NAMESPACES, name: namespace }, call);
  if (found === null) return null;
  const { labels, deletionTimestamp } = namespaceSchema.parse(found).metadata;
  return {
    madeBy: labels[MADE_BY_US.name] === MADE_BY_US.value ? 'us' : 'others',
    podSecurity: labels['pod-security.kubernetes.io/enforce'] ?? null,
    isBeingDeleted: deletionTimestamp !== undefined,
  };
}
