import { expect, test } from 'vitest';
import { DEPLOYMENTS } from '../kube/resource.ts';
import { installationObjects } from './installation-objects.ts';
import { parseStoredSettings, settingsOfDeployment, type InstallationSettings } from './installed-settings.ts';

const SETTINGS: InstallationSettings = {
  image: 'registry.example/image-cleaner:1',
  scannerImage: 'registry.example/image-cleaner-scanner:1',
  managerArgs: ['--max-parallel=5', '--log-level=debug'],
  trivyArgs: ['--skip-db-update'],
  trivyCacheHostPath: '/trivy',
  historyServer: null,
};

const URL_OF_HISTORY = 'postgres://cleaner@db.example:5432/cleaner';
const IN_POSTGRES: InstallationSettings = {
  ...SETTINGS,
  historyServer: {
    url: URL_OF_HISTORY,
    passwordSecret: { name: 'history', key: 'password' },
    ca: { kind: 'ConfigMap', name: 'history-ca', key: 'root.pem' },
  },
};
const withServer = (server: Partial<InstallationSettings['historyServer']>): InstallationSettings => ({
  ...IN_POSTGRES,
  historyServer: { url: URL_OF_HISTORY, passwordSecret: null, ca: null, ...server },
});

test.each([
  SETTINGS,
  { ...SETTINGS, managerArgs: [], trivyArgs: [], trivyCacheHostPath: null },
  IN_POSTGRES,
  { ...IN_POSTGRES, managerArgs: [] },
  withServer({}),
  withServer({ url: `${URL_OF_HISTORY}?sslmode=disable`, passwordSecret: { name: 'history', key: 'p' } }),
  withServer({ url: `${URL_OF_HISTORY}?sslmode=verify-full`, ca: { kind: 'Secret', name: 'history', key: 'ca.crt' } }),
  withServer({
    url: `${URL_OF_HISTORY}?sslrootcert=/etc/ssl/cert.pem`,
    passwordSecret: { name: 'history', key: 'ca.crt' },
  }),
  // As it was said before there was an option for it.
  { ...SETTINGS, managerArgs: [`--history=${URL_OF_HISTORY}`, '--history-password-file=/a/file'] },
])('the Deployment that is made of settings says these again', (settings) => {
  const made = installationObjects('eraser-system', settings, '').find(({ reference }) => reference.resource === DEPLOYMENTS);
  expect(made).toBeDefined();
  if (made !== undefined) expect(settingsOfDeployment(made.object)).toEqual(settings);
});

test('what is stored is read again, and what is no settings is none', () => {
  for (const settings of [SETTINGS, IN_POSTGRES]) expect(parseStoredSettings(JSON.stringify(settings))).toEqual(settings);
  const earlier = JSON.stringify({ ...SETTINGS, historyServer: undefined });
  expect(parseStoredSettings(earlier)).toEqual(SETTINGS);
  for (const text of [undefined, '', '{}', 'null', '{"image":""}']) expect(parseStoredSettings(text)).toBeNull();
});
