import { describe, expect, test } from 'vitest';
import { backoffMs, SYSTEM_TIMING } from './retry.ts';

describe('backoffMs', () => {
  test('doubles up to a limit', () => {
    expect([0, 1, 2, 10, 1000].map((failures) => backoffMs(failures, 1))).toEqual([100, 200, 400, 3_000, 3_000]);
  });

  test('is jittered between a half and the whole', () => {
    expect(backoffMs(1, 0)).toBe(100);
    expect(backoffMs(1, 0.5)).toBe(150);
  });
});

test('the system sleep ends with the reason of the abort', async () => {
  const reason = new Error('stop');
  await expect(SYSTEM_TIMING.sleep(10_000, AbortSignal.abort(reason))).rejects.toBe(reason);
});
