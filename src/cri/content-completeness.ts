import { type ContentBlob, CONTAINERD_NAMESPACE, layerDigests, listContent, manifestsOfImage } from './containerd-content.ts';
import { isNotFound, isNotImplemented } from './cri-error.ts';
import { readDiffIds } from './image-layers.ts';
import { mapConcurrently, RUNTIME_CONCURRENCY } from './map-concurrently.ts';
import type { RuntimeConnection } from './runtime-connection.ts';

/**
 * Whether containerd's content store has a manifest of the image with all of its layers. Layers are missing when containerd discards
 * them once unpacked (`discard_unpacked_layers`), or when a pull is under way. null where there is no content store to ask.
 */
export async function readContentCompleteness(
  connection: RuntimeConnection,
  imageId: string,
  signal: AbortSignal,
): Promise<boolean | null> {
  try {
    const manifests = await listContent(connection, [manifestsOfImage(imageId)], signal);
    const layers = await readDiffIds(connection, imageId, signal);
    if (layers === null) return false;
    for (const manifest of manifests) {
      if (await isComplete(connection, manifest, layers.length, signal)) return true;
    }
    return false;
  } catch (error) {
    if (isNotImplemented(error)) return null;
    throw error;
  }
}

async function isComplete(connection: RuntimeConnection, manifest: ContentBlob, layers: number, signal: AbortSignal): Promise<boolean> {
  const digests = layerDigests(manifest);
  if (digests.length !== layers) return false;
  const present = await mapConcurrently([...new Set(digests)], RUNTIME_CONCURRENCY, signal, (digest, either) =>
    hasBlob(connection, digest, either),
  );
  return present.every(Boolean);
}

async function hasBlob(connection: RuntimeConnection, digest: string, signal: AbortSignal): Promise<boolean> {
  try {
    await connection.call('containerd content Info', signal, (options) =>
      connection.content.info({ digest }, { ...options, ...CONTAINERD_NAMESPACE }),
    );
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}
