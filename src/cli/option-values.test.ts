import { expect, test } from 'vitest';
import { timeBound } from './option-values.ts';

test('timeBound takes a date, a time, or how long ago', () => {
  expect(timeBound('7d')).toEqual({ ago: 7 * 86_400_000 });
  expect(timeBound('2026-11-01')).toEqual({ at: Date.UTC(2026, 10, 1) });
  expect(timeBound('2028-02-29')).toEqual({ at: Date.UTC(2028, 1, 29) });
  expect(timeBound('2026-11-01T03:00Z')).toEqual({ at: Date.UTC(2026, 10, 1, 3) });
  expect(timeBound('2026-11-01T03:00:00.5+02:00')).toEqual({ at: Date.UTC(2026, 10, 1, 1, 0, 0, 500) });
});

test.each([
  '',
  '2026',
  '2026-11',
  '2026-11-31',
  '2026-02-29',
  '2026-13-01',
  '2026-11-01T03:00:00',
  '2026-11-01T25:00Z',
  '1.11.2026',
  'yesterday',
])('timeBound refuses %j, which is no time or none of a known zone', (text) => {
  expect(() => timeBound(text)).toThrow(/Allowed are a date/);
});
