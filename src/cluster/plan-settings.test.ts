import { expect, test } from 'vitest';
import { findDowngrade, planSettings } from './plan-settings.ts';

const INSTALLED = {
  image: 'registry.example/team/image-cleaner:0.1.0',
  scannerImage: 'registry.example/team/image-cleaner-scanner:0.1.0',
  managerArgs: ['--max-parallel=5'],
  trivyArgs: ['--skip-db-update'],
  trivyCacheHostPath: '/trivy',
};

test('what is installed stays, in the version of the program', () => {
  expect(planSettings({}, INSTALLED, '0.2.0')).toEqual({
    ...INSTALLED,
    image: 'registry.example/team/image-cleaner:0.2.0',
    scannerImage: 'registry.example/team/image-cleaner-scanner:0.2.0',
  });
});

test.each([
  'registry.example:5000/image-cleaner:latest',
  'registry.example/image-cleaner@sha256:0123',
  'registry.example:5000/image-cleaner',
])('%s was chosen on purpose, and stays', (image) => {
  expect(planSettings({}, { ...INSTALLED, image }, '0.2.0').image).toBe(image);
});

test('the image that is given has that of the scanner beside it', () => {
  expect(planSettings({ image: 'other.example:5000/image-cleaner:1' }, INSTALLED, '0.2.0')).toMatchObject({
    image: 'other.example:5000/image-cleaner:1',
    scannerImage: 'other.example:5000/image-cleaner-scanner:1',
    managerArgs: ['--max-parallel=5'],
  });
});

test('flags that are given take the place of all that were', () => {
  expect(planSettings({ managerArgs: [], trivyArgs: ['--debug'] }, INSTALLED, '0.2.0')).toMatchObject({
    managerArgs: [],
    trivyArgs: ['--debug'],
  });
});

test('no image at all, or one whose scanner is not known, is refused with the flag', () => {
  expect(() => planSettings({}, null, '0.2.0')).toThrow(/No image is named/);
  expect(() => planSettings({ image: 'registry.example/cleaner:1' }, null, '0.2.0')).toThrow(/which image the scanner has/);
});

test.each([
  ['an older program', '0.2.0', '0.1.9', '0.1.9', { from: '0.2.0', to: '0.1.9' }],
  ['an older image than is installed', '0.2.0', '0.1.0', '0.2.0', { from: '0.2.0', to: '0.1.0' }],
  ['an older program with the newer image', '0.2.0', '0.2.0', '0.1.0', { from: '0.2.0', to: '0.1.0' }],
  ['before its release', '0.2.0', '0.2.0-rc.1', '0.2.0', { from: '0.2.0', to: '0.2.0-rc.1' }],
  ['the same', '0.2.0', '0.2.0', '0.2.0', null],
  ['a newer one', '0.2.0', '0.10.0', '0.10.0', null],
  ['a tag that tells no version, installed', 'latest', '0.1.0', '0.1.0', null],
  ['a tag that tells no version, planned', '0.2.0', 'latest', '0.1.0', { from: '0.2.0', to: '0.1.0' }],
])('whether it is a downgrade: %s', (_what, installed, planned, program, expected) => {
  const at = (tag: string): typeof INSTALLED => ({ ...INSTALLED, image: `registry.example:5000/image-cleaner:${tag}` });
  expect(findDowngrade(at(planned), at(installed), program)).toEqual(expected);
});

test('a first installation is no downgrade', () => {
  expect(findDowngrade(INSTALLED, null, '0.0.1')).toBeNull();
});
