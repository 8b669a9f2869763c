import { resolve } from 'node:path';
import type { NodeVerdict } from '../api/node-verdict.ts';
import type { BootReading } from '../platform/boot-clock.ts';
import { historyError } from './history-error.ts';
import { HistoryTime } from './history-time.ts';
import { openPlace, type HistoryPlace } from './open-place.ts';
import { BUSY_TIMEOUT_MS } from './open-sqlite-file.ts';
import { regularFileSize } from './own-file.ts';
import { revokeNode } from './revocations.ts';

export interface RevokeOptions {
  readonly place: HistoryPlace;
  /** The wall clock. */
  readonly now: () => number;
  readonly bootClock: () => BootReading;
}

/**
 * Takes back all that this node has told of images, in the history of a cluster that the manager has open meanwhile, and gives what that was. Makes no
 * file. null: the node was never heard of, and nothing is changed.
 * @throws HistoryError
 */
export async function revokeInHistory({ place, now, bootClock }: RevokeOptions, node: string): Promise<NodeVerdict[] | null> {
  if ('path' in place && (regularFileSize(resolve(place.path)) ?? 0) === 0) return null;
  const database = await openPlace(place, { busyTimeoutMs: BUSY_TIMEOUT_MS, owner: null });
  try {
    const time = new HistoryTime(now, bootClock, true);
    const verdicts = await database.write('power', (changes) => revokeNode(changes, time, node));
    if (!database.isInPlace())
      throw historyError('unreadable', `the history ${database.name} was removed or replaced: nothing was revoked`);
    return verdicts;
  } finally {
    await database.close();
  }
}
