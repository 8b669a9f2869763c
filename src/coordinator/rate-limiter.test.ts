import { expect, test } from 'vitest';
import { RateLimiter } from './rate-limiter.ts';

test('lets a burst through, and then so many each second, for each key', () => {
  let now = 0;
  const limiter = new RateLimiter({ burst: 2, perSecond: 4 }, { now: () => now });
  limiter.count('a');
  expect(limiter.waitMs('a')).toBe(0);
  limiter.count('a');
  expect(limiter.waitMs('a')).toBe(250);
  expect(limiter.waitMs('b')).toBe(0);
  now = 200;
  expect(limiter.waitMs('a')).toBeCloseTo(50);
  now = 250;
  expect(limiter.waitMs('a')).toBe(0);
  now = 1_000_000;
  limiter.count('a');
  limiter.count('a');
  expect(limiter.waitMs('a')).toBe(250);
});

test('forgets who was quiet longest rather than grow without end', () => {
  const limiter = new RateLimiter({ burst: 1, perSecond: 0.001 }, { now: () => 0 });
  limiter.count('first');
  limiter.count('busy');
  for (let other = 0; other < 9_999; other++) {
    limiter.count(`other-${other}`);
    if (other === 5_000) limiter.count('busy');
  }
  expect(limiter.waitMs('first')).toBe(0);
  expect(limiter.waitMs('busy')).toBeGreaterThan(0);
});
