import { expect, test } from 'vitest';
import { parseIntervalHours } from './interval-hours.ts';

test.each([
  ['24', 24],
  ['168', 168],
  ['2160', 2160],
])('%s hours', (text, hours) => {
  expect(parseIntervalHours(text)).toBe(hours);
});

test.each(['23', '2161', '0', '-24', '24.5', '1e2', '24h', '', ' 24'])('%j is refused, with the bounds', (text) => {
  expect(() => parseIntervalHours(text)).toThrow(/24 .* 2160/);
});
