import * as z from 'zod';
import { compileImageList } from '../core/image-list.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { PODS } from '../kube/resource.ts';
import type { ClusterSite } from './cluster-site.ts';

/** A pod that an image of a list stays for. */
export interface ImageUser {
  /** As the list has it. */
  readonly image: string;
  readonly namespace: string;
  readonly pod: string;
  readonly node: string | null;
}

const podSchema = z.object({
  spec: z.object({ nodeName: z.string().optional(), containers: z.array(z.object({ image: z.string().default('') })) }),
  status: z
    .object({ phase: z.string().optional(), containerStatuses: z.array(z.object({ image: z.string(), imageID: z.string() })).nullish() })
    .default({}),
});

/** The pods that run, or are about to, and use images of the list. `*` is none of them: it means no image by name. */
export async function listImageUsers({ client, call }: ClusterSite, images: readonly string[]): Promise<ImageUser[]> {
  const compiled = compileImageList(images.filter((image) => image !== '*'));
  if (!compiled.ok) return [];
  const trim = (pod: KubeObject): ImageUser[] => {
    const { name, namespace = '' } = pod.metadata;
    const parsed = podSchema.safeParse(pod).data;
    if (parsed === undefined || parsed.status.phase === 'Succeeded' || parsed.status.phase === 'Failed') return [];
    const used = namesIn(parsed).flatMap((named) => compiled.list.match(named) ?? []);
    return [...new Set(used)].map((image) => ({ image, namespace, pod: name, node: parsed.spec.nodeName ?? null }));
  };
  const { items } = await client.list({ resource: PODS }, { trim }, call);
  return items.flat();
}

interface ImageNames {
  readonly id: string;
  readonly repoTags: string[];
  readonly repoDigests: string[];
}

function namesIn({ spec, status }: z.output<typeof podSchema>): ImageNames[] {
  const asWritten = spec.containers.map(({ image }) => ({ id: '', repoTags: [image], repoDigests: [] }));
  const asRun = (status.containerStatuses ?? []).map(({ image, imageID }) => {
    const isDigest = imageID.includes('@');
    return { id: isDigest ? '' : imageID, repoTags: [image], repoDigests: isDigest ? [imageID] : [] };
  });
  return [...asWritten, ...asRun];
}
