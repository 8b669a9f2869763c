import { resolve } from 'node:path';
import type { NodeVerdict } from '../api/node-verdict.ts';
import type { BootReading } from '../platform/boot-clock.ts';
import { HistoryDatabase } from './history-database.ts';
import { historyError } from './history-error.ts';
import { HistoryTime } from './history-time.ts';
import { BUSY_TIMEOUT_MS, openSharedFile } from './open-sqlite-file.ts';
import { regularFileSize } from './own-file.ts';
import { revokeNode } from './revocations.ts';

export interface RevokeOptions {
  readonly path: string;
  /** The wall clock. */
  readonly now: () => number;
  readonly bootClock: () => BootReading;
}

/**
 * Takes back all that this node has told of images, in the history of a cluster that the manager has open meanwhile, and gives what that was. Makes no
 * file. null: the node was never heard of, and nothing is changed.
 * @throws HistoryError
 */
export async function revokeInHistory({ path, now, bootClock }: RevokeOptions, node: string): Promise<NodeVerdict[] | null> {
  // Absolute, so that SQLite takes neither `:memory:` nor `file:…` for anything but the name of a file.
  const file = resolve(path);
  if ((regularFileSize(file) ?? 0) === 0) return null;
  const database = new HistoryDatabase(file, { database: openSharedFile(file, BUSY_TIMEOUT_MS) });
  try {
    const time = new HistoryTime(now, bootClock, true);
    const verdicts = await database.write('power', (changes) => revokeNode(changes, time, node));
    if (!database.isInPlace()) throw historyError('unreadable', `the history ${file} was removed or replaced: nothing was revoked`);
    return verdicts;
  } finally {
    await database.close();
  }
}
