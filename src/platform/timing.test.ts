import { getEventListeners } from 'node:events';
import { describe, expect, test } from 'vitest';
import { backoffMs, SYSTEM_TIMING } from './timing.ts';

describe('backoffMs', () => {
  const BACKOFF = { firstMs: 100, longestMs: 3_000 };

  test('doubles up to a limit', () => {
    expect([0, 1, 2, 10, 10_000].map((failures) => backoffMs(BACKOFF, failures, 1))).toEqual([100, 200, 400, 3_000, 3_000]);
  });

  test('is jittered between a half and the whole', () => {
    expect(backoffMs(BACKOFF, 1, 0)).toBe(100);
    expect(backoffMs(BACKOFF, 1, 0.5)).toBe(150);
  });
});

test('the system sleep ends with the reason of the abort', async () => {
  const reason = new Error('stop');
  await expect(SYSTEM_TIMING.sleep(10_000, AbortSignal.abort(reason))).rejects.toBe(reason);
});

test('the system sleep ends early with the reason of an abort in its midst, and leaves nothing on the signal or the clock', async () => {
  const stop = new AbortController();
  const reason = new Error('stop');
  const timersBefore = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const sleeping = SYSTEM_TIMING.sleep(10_000, stop.signal);
  expect(getEventListeners(stop.signal, 'abort')).toHaveLength(1);
  stop.abort(reason);
  await expect(sleeping).rejects.toBe(reason);
  expect(process.getActiveResourcesInfo().filter((name) => name === 'Timeout')).toHaveLength(timersBefore);
  const lasting = new AbortController();
  await SYSTEM_TIMING.sleep(1, lasting.signal);
  expect(getEventListeners(lasting.signal, 'abort')).toEqual([]);
});

test('the system clock goes on and its randomness stays in [0, 1)', async () => {
  const before = SYSTEM_TIMING.now();
  await SYSTEM_TIMING.sleep(5, new AbortController().signal);
  expect(SYSTEM_TIMING.now()).toBeGreaterThan(before);
  for (let i = 0; i < 100; i++) {
    const random = SYSTEM_TIMING.random();
    expect(random >= 0 && random < 1).toBe(true);
  }
});
