import type { ImageStorage, NodeImage } from '../api/inventory.ts';
import { compareTexts } from './compare-texts.ts';
import type { ImageHistories } from './image-age.ts';
import { lastUsedAt } from './image-age.ts';
import { createReclaimLedger } from './reclaim.ts';

/** The image filesystem against its thresholds, in bytes. */
export interface DiskThresholds {
  readonly usedBytes: number;
  /** Above this, images go. */
  readonly highBytes: number;
  /** Until this is reached. At most `highBytes`. */
  readonly lowBytes: number;
}

export interface DiskPressureInput {
  readonly thresholds: DiskThresholds;
  readonly images: readonly NodeImage[];
  /** Images that go anyway by an earlier rule: what they free counts first. */
  readonly goingAnyway: readonly NodeImage[];
  /** Images that no earlier rule keeps or removes. */
  readonly candidates: readonly NodeImage[];
  readonly storage: ImageStorage;
  readonly histories: ImageHistories;
}

/**
 * Rule 8, as kubelet's image garbage collection does it: over the high threshold, the least recently used image first, down to the low one.
 * Unlike there, an image whose last use is unknown goes last.
 */
export function selectForDiskPressure(input: DiskPressureInput): ReadonlySet<string> {
  const { thresholds, histories } = input;
  const selected = new Set<string>();
  if (thresholds.usedBytes <= thresholds.highBytes) return selected;
  const ledger = createReclaimLedger(input.images, input.storage);
  let used = thresholds.usedBytes;
  for (const image of input.goingAnyway) used -= ledger.remove(image);
  const lastUse = (image: NodeImage): number => lastUsedAt(histories.get(image.id)) ?? Number.MAX_SAFE_INTEGER;
  const leastRecentlyUsedFirst = input.candidates.toSorted((a, b) => lastUse(a) - lastUse(b) || compareTexts(a.id, b.id));
  for (const image of leastRecentlyUsedFirst) {
    if (used <= thresholds.lowBytes) break;
    used -= ledger.remove(image);
    selected.add(image.id);
  }
  return selected;
}
