import type { KeepReason, RemoveReason } from '../api/decision.ts';

/** What is remembered of one image; all times in milliseconds since the epoch. */
export interface ImageHistory {
  readonly firstSeenAt: number;
  /** null: never seen in use. */
  readonly lastInUseAt: number | null;
}

/** By image id; an image without an entry was never seen before. */
export type ImageHistories = ReadonlyMap<string, ImageHistory>;

/** When the image was last used, as far as is known: last seen in use, else first seen; null: unknown. */
export function lastUsedAt(history: ImageHistory | undefined): number | null {
  if (history === undefined) return null;
  return Math.max(history.firstSeenAt, history.lastInUseAt ?? history.firstSeenAt);
}

/** Rule 6. An image of unknown age is too young, and so is one from the future (the clock was set back). */
export function tooYoungReason(history: ImageHistory | undefined, minAgeMs: number, now: number): KeepReason | null {
  if (minAgeMs <= 0) return null;
  const ageMs = history === undefined ? null : now - history.firstSeenAt;
  return ageMs === null || ageMs < minAgeMs ? { code: 'too-young', ageMs, minAgeMs } : null;
}

/** Rule 7. An image of unknown age is not expired. */
export function expiredReason(history: ImageHistory | undefined, maxAgeMs: number | null, now: number): RemoveReason | null {
  const lastUsed = lastUsedAt(history);
  if (maxAgeMs === null || lastUsed === null) return null;
  const unusedMs = now - lastUsed;
  return unusedMs > maxAgeMs ? { code: 'expired', unusedMs, maxAgeMs } : null;
}
