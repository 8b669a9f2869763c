import type { FilesystemUsage, ImageStorage, NodeImage } from '../api/inventory.ts';
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

/** A threshold as a user states it. */
export type DiskLimit =
  /** Of the filesystem's capacity, 0 to 100. */
  { readonly unit: 'percent'; readonly value: number } | { readonly unit: 'bytes'; readonly value: number };

export interface DiskLimits {
  readonly high: DiskLimit;
  readonly low: DiskLimit;
}

/** As for the kubelet, what is not available counts as used: the blocks that are reserved for root too, which df leaves out. */
export function usedBytes({ capacityBytes, availableBytes }: FilesystemUsage): number {
  return capacityBytes - availableBytes;
}

/** The limits against a filesystem as it is now. */
export function planDiskThresholds({ high, low }: DiskLimits, filesystem: FilesystemUsage): DiskThresholds {
  const bytes = ({ unit, value }: DiskLimit): number => (unit === 'bytes' ? value : (filesystem.capacityBytes * value) / 100);
  const highBytes = bytes(high);
  // One limit in bytes, one in per cent: which is the lower one depends on the filesystem.
  return { usedBytes: usedBytes(filesystem), highBytes, lowBytes: Math.min(bytes(low), highBytes) };
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
 * Rule 8, much as the kubelet's image garbage collection: over the high threshold, the least recently used image first, down to the low one;
 * of those last used together, the one that has been there longest. What goes anyway may be enough: then no other image does.
 * Unlike there, an image whose last use is unknown goes last. docs/ages-and-disk.md has all differences.
 */
export function selectForDiskPressure(input: DiskPressureInput): ReadonlySet<string> {
  const { thresholds, histories } = input;
  const selected = new Set<string>();
  const ledger = createReclaimLedger(input.images, input.storage);
  let used = thresholds.usedBytes;
  for (const image of input.goingAnyway) used -= ledger.remove(image);
  if (used <= thresholds.highBytes) return selected;
  const lastUse = ({ id }: NodeImage): number => lastUsedAt(histories.get(id)) ?? Number.MAX_SAFE_INTEGER;
  const firstSeen = ({ id }: NodeImage): number => histories.get(id)?.firstSeenAt ?? Number.MAX_SAFE_INTEGER;
  const order = (a: NodeImage, b: NodeImage): number => lastUse(a) - lastUse(b) || firstSeen(a) - firstSeen(b) || compareTexts(a.id, b.id);
  for (const image of input.candidates.toSorted(order)) {
    if (used <= thresholds.lowBytes) break;
    used -= ledger.remove(image);
    selected.add(image.id);
  }
  return selected;
}
