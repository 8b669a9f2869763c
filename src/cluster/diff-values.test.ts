import { expect, test } from 'vitest';
import { diffValues, formatChange } from './diff-values.ts';

const container = (name: string, image: string): object => ({ name, image });

test.each([
  ['nothing', { a: [1, { b: null }] }, { a: [1, { b: null }] }, []],
  ['a value', { a: { b: 1 } }, { a: { b: 2 } }, [['a.b', 1, 2]]],
  ['one that comes', {}, { a: 'x' }, [['a', undefined, 'x']]],
  ['one that goes', { a: 'x' }, {}, [['a', 'x', undefined]]],
  [
    'a member by its name',
    { c: [container('m', '1'), container('t', '1')] },
    { c: [container('t', '1'), container('m', '2')] },
    [['c[m].image', '1', '2']],
  ],
  ['a list as a whole', { c: ['a', 'b'] }, { c: ['b', 'a'] }, [['c', ['a', 'b'], ['b', 'a']]]],
  ['a key with dots', { 'x.y/z': 1 }, { 'x.y/z': 2 }, [['"x.y/z"', 1, 2]]],
] as const)('%s', (_name, from, to, changes) => {
  expect(diffValues(from, to)).toEqual(changes.map(([path, before, after]) => ({ path, from: before, to: after })));
});

test('a change is one line, and not a long one', () => {
  expect(formatChange({ path: 'a', from: undefined, to: 'x\n  y' })).toBe('a: (none) -> x y');
  expect(formatChange({ path: 'a', from: 'x'.repeat(1000), to: 1 }).length).toBeLessThan(150);
});
