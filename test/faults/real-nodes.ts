import { ContainerState } from '../../src/cri/gen/cri_pb.js';
import { listImages } from '../../lab/images.ts';
import type { Installation } from '../../lab/installation.ts';

/** A node as its container runtime tells it. */
export interface NodeLook {
  readonly node: string;
  /** By id, the names. */
  readonly images: ReadonlyMap<string, readonly string[]>;
  /** Of the containers that run, by the name of the pod: for those of the pods that use an image. */
  readonly users: ReadonlyMap<string, string>;
}

export async function lookAtNodes({ nodes }: Installation): Promise<NodeLook[]> {
  return Promise.all(
    nodes.map(async ({ name, containerd }) => {
      const images = await listImages(containerd);
      const { containers } = await containerd.cri.runtime.listContainers({});
      const users = containers
        .filter(({ state, labels }) => state === ContainerState.CONTAINER_RUNNING && labels['io.kubernetes.pod.namespace'] === 'default')
        .map(({ id, labels }) => [labels['io.kubernetes.pod.name'] ?? '', id] as const);
      return { node: name, images: new Map(images.map(({ id, repoTags }) => [id, repoTags])), users: new Map(users) };
    }),
  );
}
