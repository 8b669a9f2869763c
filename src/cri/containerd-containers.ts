import type { NodeContainer } from '../api/inventory.ts';
import { CONTAINERD_NAMESPACE } from './containerd-content.ts';
import { isNotImplemented } from './cri-error.ts';
import type { RuntimeConnection } from './runtime-connection.ts';

/** The CRI labels all containers that it makes. The operator `!=` also holds for a container without the label. */
const NOT_OF_CRI = ['container', 'sandbox'].map((kind) => `labels."io.cri-containerd.kind"!=${kind}`).join(',');

/**
 * The containers that were made beside the CRI in the namespace of its images (`ctr -n k8s.io run`, `nerdctl -n k8s.io run`), in every
 * state: they use images as well, and the CRI does not list them. None without containerd's own services.
 */
export async function readOtherContainers(connection: RuntimeConnection, signal: AbortSignal): Promise<NodeContainer[]> {
  try {
    const answer = await connection.call('containerd containers List', signal, (options) =>
      connection.containers.list({ filters: [NOT_OF_CRI] }, { ...options, ...CONTAINERD_NAMESPACE }),
    );
    // One that was made of a bare root filesystem uses no image.
    const ofImages = answer.containers.filter(({ image }) => image !== '');
    return ofImages.map(({ id, image }) => ({
      id,
      name: id,
      // Told by another service; every state counts as use.
      state: 'unknown',
      podNamespace: '',
      podName: '',
      imageReferences: [image],
      volumeImageReferences: [],
    }));
  } catch (error) {
    if (isNotImplemented(error)) return [];
    throw error;
  }
}
