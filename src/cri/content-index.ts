import type { StorageUnit } from '../api/inventory.ts';
import { configDigest, type ContentBlob, diffId, layerDigests, snapshotters, topSnapshots } from './containerd-content.ts';
import { chainIds } from './image-layers.ts';

/** Which blobs belong to which image. */
export class ContentIndex {
  readonly #blobs: ReadonlyMap<string, ContentBlob>;
  readonly #manifests = new Map<string, ContentBlob[]>();
  readonly #layersByDiffId = new Map<string, string[]>();
  /** Every snapshotter that some image was unpacked to: one on most nodes. */
  readonly snapshotters: readonly string[];

  constructor(blobs: readonly ContentBlob[]) {
    this.#blobs = new Map(blobs.map((blob) => [blob.digest, blob]));
    for (const blob of blobs) {
      append(this.#manifests, configDigest(blob), blob);
      append(this.#layersByDiffId, diffId(blob), blob.digest);
    }
    this.snapshotters = [...new Set(blobs.flatMap(snapshotters))];
  }

  /**
   * The digests of an image's uncompressed layers from the base up, by what containerd noted on its parts when it unpacked them. Those that add up
   * to the snapshot that it unpacked them to are the image's; null: they do not, or some are not noted.
   */
  diffIdsOfImage(imageId: string): readonly string[] | null {
    const config = this.#blobs.get(imageId);
    const unpacked = config === undefined ? [] : topSnapshots(config);
    for (const manifest of this.#manifests.get(imageId) ?? []) {
      const diffIds = layerDigests(manifest).flatMap((layer) => this.#diffIdOf(layer) ?? []);
      if (unpacked.includes(chainIds(diffIds).at(-1) ?? '')) return diffIds;
    }
    return null;
  }

  #diffIdOf(layer: string): string | undefined {
    const blob = this.#blobs.get(layer);
    return blob === undefined ? undefined : diffId(blob);
  }

  /** Config, manifests and compressed layers. Layers that no manifest's label names are found by their uncompressed digest. */
  unitsOfImage(imageId: string, diffIds: readonly string[]): StorageUnit[] {
    const manifests = this.#manifests.get(imageId) ?? [];
    const named = manifests.flatMap(layerDigests);
    const layers = named.length > 0 ? named : diffIds.flatMap((layer) => this.#layersByDiffId.get(layer) ?? []);
    const digests = new Set([imageId, ...manifests.map((manifest) => manifest.digest), ...layers]);
    return [...digests].flatMap((digest) => {
      const blob = this.#blobs.get(digest);
      return blob === undefined ? [] : [{ key: `blob:${digest}`, bytes: blob.bytes }];
    });
  }
}

function append<T>(map: Map<string, T[]>, key: string | undefined, value: T): void {
  if (key === undefined) return;
  const values = map.get(key);
  if (values === undefined) map.set(key, [value]);
  else values.push(value);
}
