import { expect, test } from 'vitest';
import { Slots } from './slots.ts';

test('gives so many in all and of each key, and takes each back once', () => {
  const slots = new Slots(3, 2);
  const [first, second] = [slots.take('a'), slots.take('a')];
  expect(slots.take('a')).toBeNull();
  expect(slots.take('b')).not.toBeNull();
  expect(slots.take('c')).toBeNull();
  first?.();
  first?.();
  expect(slots.total).toBe(2);
  expect(slots.take('c')).not.toBeNull();
  second?.();
  expect(slots.take('a', 2)).toBeNull();
  expect(slots.take('a')).not.toBeNull();
});
