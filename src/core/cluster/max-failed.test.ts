import { expect, test } from 'vitest';
import { countOfMaxFailed, parseMaxFailed, type MaxFailed } from './max-failed.ts';

test.each<[string | number, MaxFailed]>([
  [0, { kind: 'count', count: 0 }],
  ['5', { kind: 'count', count: 5 }],
  ['0%', { kind: 'percent', percent: 0 }],
  ['100%', { kind: 'percent', percent: 100 }],
])('reads %j', (value, maxFailed) => {
  expect(parseMaxFailed(value, 'there')).toEqual({ ok: true, value: maxFailed });
});

test.each([-1, 1.5, NaN, '', '101%', '05', 'none', '5 %'])('refuses %j', (value) => {
  const message = expect.stringContaining('from 0% to 100%') as string;
  expect(parseMaxFailed(value, 'there')).toEqual({ ok: false, errors: [{ path: 'there', message }] });
});

test.each<[MaxFailed | null, number, number]>([
  [null, 100, Infinity],
  [{ kind: 'count', count: 0 }, 100, 0],
  [{ kind: 'count', count: 5 }, 3, 5],
  [{ kind: 'percent', percent: 5 }, 100, 5],
  [{ kind: 'percent', percent: 5 }, 19, 0],
  [{ kind: 'percent', percent: 100 }, 7, 7],
])('%j of %d nodes is %d', (setting, nodes, expected) => {
  expect(countOfMaxFailed(setting, nodes)).toBe(expected);
});
