import { expect, test } from 'vitest';
import { findDowngrade, planSettings, type GivenSettings } from './plan-settings.ts';

const INSTALLED = {
  image: 'registry.example/team/image-cleaner:0.1.0',
  scannerImage: 'registry.example/team/image-cleaner-scanner:0.1.0',
  managerArgs: ['--max-parallel=5'],
  trivyArgs: ['--skip-db-update'],
  trivyCacheHostPath: '/trivy',
  historyServer: null,
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

const SERVER = {
  url: 'postgres://cleaner@db.example/cleaner',
  passwordSecret: { name: 'history', key: 'password' },
  ca: { kind: 'ConfigMap', name: 'ca', key: 'ca.crt' },
} as const;

test('the history stays where it is, until something else is said of it', () => {
  const installed = { ...INSTALLED, historyServer: SERVER };
  const planned = (given: GivenSettings): unknown => planSettings(given, installed, '0.2.0').historyServer;
  expect(planned({})).toEqual(SERVER);
  expect(planned({ historyServer: null })).toBeNull();
  expect(planned({ historyServer: { url: 'postgres://cleaner@other/cleaner' } })).toEqual({
    ...SERVER,
    url: 'postgres://cleaner@other/cleaner',
  });
  expect(planned({ historyServer: { ca: null } })).toEqual({ ...SERVER, ca: null });
  const { url } = SERVER;
  expect(planSettings({ historyServer: { url } }, INSTALLED, '0.2.0').historyServer).toEqual({ url, passwordSecret: null, ca: null });
});

test('a password for a file, and a history that is named twice, are refused', () => {
  expect(() => planSettings({ historyServer: { passwordSecret: SERVER.passwordSecret } }, INSTALLED, '0.2.0')).toThrow(
    /history that is a file/,
  );
  for (const flag of ['--history=/a/file', '-history=postgres://ada@db/cleaner', '--history', '--history-password-file=/a']) {
    const installed = { ...INSTALLED, managerArgs: ['--max-parallel=5', flag] };
    expect(() => planSettings({ historyServer: SERVER }, installed, '0.2.0'), flag).toThrow(/names a history beside/);
    expect(planSettings({}, installed, '0.2.0').managerArgs).toEqual(installed.managerArgs);
  }
  const taken = planSettings({ historyServer: SERVER, managerArgs: ['--history-from-cluster=a'] }, INSTALLED, '0.2.0');
  expect(taken).toMatchObject({ historyServer: SERVER, managerArgs: ['--history-from-cluster=a'] });
});

test('no image at all, or one whose scanner is not known, is refused with the flag', () => {
  expect(() => planSettings({}, null, '0.2.0')).toThrow(/No image is named/);
  expect(() => planSettings({ image: 'registry.example/cleaner:1' }, null, '0.2.0')).toThrow(/which image the scanner has/);
});

test.each([
  { what: 'an older program', installed: '0.2.0', planned: '0.1.9', program: '0.1.9', expected: { from: '0.2.0', to: '0.1.9' } },
  {
    what: 'an older image than is installed',
    installed: '0.2.0',
    planned: '0.1.0',
    program: '0.2.0',
    expected: { from: '0.2.0', to: '0.1.0' },
  },
  {
    what: 'an older program, the newer image',
    installed: '0.2.0',
    planned: '0.2.0',
    program: '0.1.0',
    expected: { from: '0.2.0', to: '0.1.0' },
  },
  {
    what: 'before its release',
    installed: '0.2.0',
    planned: '0.2.0-rc.1',
    program: '0.2.0',
    expected: { from: '0.2.0', to: '0.2.0-rc.1' },
  },
  {
    what: 'with a digest behind the tag',
    installed: '0.2.0@sha256:0123',
    planned: '0.1.0',
    program: '0.1.0',
    expected: { from: '0.2.0', to: '0.1.0' },
  },
  { what: 'the same', installed: '0.2.0', planned: '0.2.0', program: '0.2.0', expected: null },
  { what: 'a newer one', installed: '0.2.0', planned: '0.10.0', program: '0.10.0', expected: null },
  { what: 'a tag that tells no version, installed', installed: 'latest', planned: '0.1.0', program: '0.1.0', expected: null },
  {
    what: 'a tag that tells no version, planned',
    installed: '0.2.0',
    planned: 'latest',
    program: '0.1.0',
    expected: { from: '0.2.0', to: '0.1.0' },
  },
])('whether it is a downgrade: $what', ({ installed, planned, program, expected }) => {
  const at = (tag: string): typeof INSTALLED => ({ ...INSTALLED, image: `registry.example:5000/image-cleaner:${tag}` });
  expect(findDowngrade(at(planned), at(installed), program)).toEqual(expected);
});

test('a first installation is no downgrade', () => {
  expect(findDowngrade(INSTALLED, null, '0.0.1')).toBeNull();
});
