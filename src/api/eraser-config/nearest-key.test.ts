import { expect, test } from 'vitest';
import { nearestKey } from './nearest-key.ts';

const KNOWN = ['scheduling', 'profile', 'pullSecrets', 'nodeFilter', 'repo', 'tag'];

test.each([
  ['schedulling', 'scheduling'],
  ['Scheduling', 'scheduling'],
  ['profil', 'profile'],
  ['nodefilter', 'nodeFilter'],
  ['pullsecret', 'pullSecrets'],
  ['repos', 'repo'],
  ['tags', 'tag'],
  ['tga', null],
  ['colour', null],
  ['', null],
  ['s'.repeat(1_000_000), null],
])('%.20s is likely %s', (key, expected) => {
  expect(nearestKey(key, KNOWN)).toBe(expected);
});
