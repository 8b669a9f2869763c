import { writeFile } from 'node:fs/promises';
import type { Image } from './build-image.ts';
import { MANIFEST_TYPE, PLATFORM } from './build-image.ts';
import { makeTar } from './tar.ts';

/**
 * `oci`: an OCI image layout in a tar; the images keep their manifests. `docker`: what `docker save` writes; containerd makes manifests
 * of its own, so that `manifestDigest` does not hold.
 */
export type ArchiveFormat = 'oci' | 'docker';

/** Writes all images into one archive; what they share is in it once. */
export async function writeImageArchive(path: string, images: readonly Image[], format: ArchiveFormat = 'oci'): Promise<void> {
  const files = format === 'oci' ? ociLayout(images) : dockerArchive(images);
  await writeFile(path, makeTar([...files].map(([name, content]) => ({ path: name, content, mode: 0o644 }))));
}

type ArchiveFiles = Map<string, Buffer>;

function ociLayout(images: readonly Image[]): ArchiveFiles {
  const files: ArchiveFiles = new Map();
  const addBlob = (digest: string, content: Buffer): unknown => files.set(`blobs/${digest.replace(':', '/')}`, content);
  for (const image of images) {
    for (const layer of image.layers) addBlob(layer.digest, layer.blob);
    addBlob(image.id, image.config);
    addBlob(image.manifestDigest, image.manifest);
  }
  const manifests = images.flatMap((image) => {
    const descriptor = { mediaType: MANIFEST_TYPE, digest: image.manifestDigest, size: image.manifest.length, platform: PLATFORM };
    return image.refs.map((ref) => ({ ...descriptor, annotations: { 'io.containerd.image.name': ref } }));
  });
  files.set('oci-layout', Buffer.from(JSON.stringify({ imageLayoutVersion: '1.0.0' })));
  files.set('index.json', Buffer.from(JSON.stringify({ schemaVersion: 2, manifests })));
  return files;
}

function dockerArchive(images: readonly Image[]): ArchiveFiles {
  const files: ArchiveFiles = new Map();
  const hex = (digest: string): string => digest.slice('sha256:'.length);
  const manifests = images.map((image) => {
    for (const layer of image.layers) files.set(`${hex(layer.digest)}/layer.tar`, layer.blob);
    files.set(`${hex(image.id)}.json`, image.config);
    return {
      Config: `${hex(image.id)}.json`,
      RepoTags: image.refs,
      Layers: image.layers.map((layer) => `${hex(layer.digest)}/layer.tar`),
    };
  });
  files.set('manifest.json', Buffer.from(JSON.stringify(manifests)));
  return files;
}
