import { setImmediate } from 'node:timers/promises';

/**
 * Lets whatever else waits in this process have its turn. The database answers at once, and work of many pieces would otherwise hold up the renewal
 * of a lease or the answers to others until all of it is done. Rejects with the signal's reason when it has aborted.
 */
export async function nextTurn(signal?: AbortSignal): Promise<void> {
  await setImmediate();
  signal?.throwIfAborted();
}
