import type { ImageUser } from '../api/decision.ts';
import type { NodeContainer } from '../api/inventory.ts';
import type { ImageIndex } from './image-index.ts';

/** A pod bound to this node whose containers may not exist yet (known only where a cluster's API is). */
export interface PendingPod {
  readonly namespace: string;
  readonly name: string;
  readonly imageReferences: readonly string[];
}

export interface ImageUse {
  /** Who uses each image, by image id; an image without an entry is used by nobody. */
  readonly usersByImage: ReadonlyMap<string, readonly ImageUser[]>;
  /** Containers whose image is none of the node's: to be reported; every image of the repositories they name counts as used. */
  readonly unresolvedContainers: readonly NodeContainer[];
}

/**
 * Rule 1. A container in any state uses every image that any of its references means, and the images it mounts as volumes; a tag that has
 * moved since it started keeps both the old image and the new. Containers that run decide nothing that stopped ones do not.
 */
export function findImageUse(index: ImageIndex, containers: readonly NodeContainer[], pendingPods: readonly PendingPod[]): ImageUse {
  const usersByImage = new Map<string, ImageUser[]>();
  const unresolvedContainers: NodeContainer[] = [];
  const add = (imageId: string, user: ImageUser): void => {
    const users = usersByImage.get(imageId);
    if (users === undefined) usersByImage.set(imageId, [user]);
    else users.push(user);
  };

  for (const container of containers) {
    const images = resolveAll(index, container.imageReferences);
    for (const id of images) add(id, containerUser('container', container));
    const missing = images.size === 0 ? [...container.imageReferences] : [];
    for (const volume of container.volumeImageReferences) {
      const mounted = index.resolve(volume);
      for (const id of mounted) add(id, containerUser('volume', container));
      if (mounted.size === 0) missing.push(volume);
    }
    if (images.size > 0 && missing.length === 0) continue;
    unresolvedContainers.push(container);
    const siblings = new Set(missing.flatMap((reference) => [...index.resolveRepository(reference)]));
    for (const id of siblings) add(id, containerUser('unresolved-container', container));
  }

  for (const pod of pendingPods) {
    const name = `${pod.namespace}/${pod.name}`;
    for (const id of resolveAll(index, pod.imageReferences)) add(id, { kind: 'pending-pod', pod: name });
  }
  return { usersByImage, unresolvedContainers };
}

function resolveAll(index: ImageIndex, references: readonly string[]): ReadonlySet<string> {
  return new Set(references.flatMap((reference) => [...index.resolve(reference)]));
}

function containerUser(kind: 'container' | 'volume' | 'unresolved-container', container: NodeContainer): ImageUser {
  const pod = container.podName === '' ? '' : `${container.podNamespace}/${container.podName}`;
  return { kind, containerId: container.id, container: container.name, pod, state: container.state };
}
