import { expect, test } from 'vitest';
import { acceptedConfiguration } from '../../../test/fakes/cluster.ts';
import { podProblems } from './pod-problems.ts';

const { manager } = acceptedConfiguration().config;

test.each([
  ['a value with a blank', { team: 'a b' }, 'manager.additionalPodLabels.team', /^"a b" is no value of a label; allowed are up to 63/],
  ['a value that is too long', { team: 'a'.repeat(64) }, 'manager.additionalPodLabels.team', /is no value of a label/],
  ['a name with a blank', { 'a b': '1' }, 'manager.additionalPodLabels.a b', /^"a b" is no label; allowed are names such as/],
  ['a name with two slashes', { 'a/b/c': '1' }, 'manager.additionalPodLabels.a/b/c', /is no label/],
  ['no name', { '': '1' }, 'manager.additionalPodLabels.', /is no label/],
])('a label with %s', (_what, additionalPodLabels, path, message) => {
  expect(podProblems({ ...manager, additionalPodLabels })).toEqual([{ path, message: expect.stringMatching(message) as string }]);
});

test('a priority class that none can be called', () => {
  expect(podProblems({ ...manager, priorityClassName: 'Not One' })).toEqual([
    {
      path: 'manager.priorityClassName',
      message: '"Not One" is no name of a priority class; allowed are small letters, digits, "-" and "."',
    },
  ]);
});

test('what pods may have', () => {
  const additionalPodLabels = { team: '', 'example.com/Team_1': 'a.B-c_1', ['a'.repeat(63)]: 'a'.repeat(63) };
  expect(podProblems({ ...manager, additionalPodLabels, priorityClassName: 'system-node-critical' })).toEqual([]);
});
