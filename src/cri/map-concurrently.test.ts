import { describe, expect, test } from 'vitest';
import { mapConcurrently } from './map-concurrently.ts';

const never = new AbortController().signal;
const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('mapConcurrently', () => {
  test('keeps the order and the limit', async () => {
    let running = 0;
    let most = 0;
    const results = await mapConcurrently([5, 1, 4, 2, 3], 2, never, async (item) => {
      most = Math.max(most, ++running);
      for (let left = item; left > 0; left--) await tick();
      running--;
      return item * 10;
    });
    expect(results).toEqual([50, 10, 40, 20, 30]);
    expect(most).toBe(2);
    expect(await mapConcurrently([], 2, never, () => Promise.resolve(1))).toEqual([]);
  });

  test('the first failure aborts the others and is thrown', async () => {
    const failure = new Error('failed');
    const seen: unknown[] = [];
    const mapping = mapConcurrently([1, 2, 3, 4], 2, never, async (item, signal) => {
      seen.push(item);
      if (item === 2) throw failure;
      await new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          reject(signal.reason as Error);
        });
      });
    });
    await expect(mapping).rejects.toBe(failure);
    await tick();
    expect(seen).toEqual([1, 2]);
  });
});
