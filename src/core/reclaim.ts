import type { ImageStorage, NodeImage } from '../api/inventory.ts';

/** Counts what removing images frees: a storage unit is free when the last image that has it goes. */
export interface ReclaimLedger {
  /** Takes the image out; returns the bytes that this frees, given all that was taken out before. */
  remove(image: NodeImage): number;
}

/** An image that the storage tells nothing about is one unit of its own, of its reported size. */
export function createReclaimLedger(images: readonly NodeImage[], storage: ImageStorage): ReclaimLedger {
  const imagesByUnit = new Map<string, number>();
  for (const image of images) {
    for (const { key } of storage.get(image.id) ?? []) imagesByUnit.set(key, (imagesByUnit.get(key) ?? 0) + 1);
  }
  const removedAlone = new Set<string>();
  const removeAlone = ({ id, sizeBytes }: NodeImage): number => {
    const before = removedAlone.size;
    return removedAlone.add(id).size === before ? 0 : sizeBytes;
  };
  return {
    remove: (image) => {
      const units = storage.get(image.id);
      if (units === undefined) return removeAlone(image);
      let freed = 0;
      for (const { key, bytes } of units) {
        const left = (imagesByUnit.get(key) ?? 0) - 1;
        imagesByUnit.set(key, left);
        if (left === 0) freed += bytes;
      }
      return freed;
    },
  };
}
