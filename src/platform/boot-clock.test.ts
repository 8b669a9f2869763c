import { expect, test } from 'vitest';
import { readBootClock } from './boot-clock.ts';

test('the boot clock names this start of the machine and does not go back', () => {
  const first = readBootClock();
  const second = readBootClock();
  expect(first.bootId).toMatch(/^[0-9a-f-]{36}$/);
  expect(second.bootId).toBe(first.bootId);
  expect(first.uptimeMs).toBeGreaterThan(0);
  expect(second.uptimeMs).toBeGreaterThanOrEqual(first.uptimeMs);
});
