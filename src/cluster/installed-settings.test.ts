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
};

test.each([SETTINGS, { ...SETTINGS, managerArgs: [], trivyArgs: [], trivyCacheHostPath: null }])(
  'the Deployment that is made of settings says these again',
  (settings) => {
    const made = installationObjects('eraser-system', settings, '').find(({ reference }) => reference.resource === DEPLOYMENTS);
    expect(made).toBeDefined();
    if (made !== undefined) expect(settingsOfDeployment(made.object)).toEqual(settings);
  },
);

test('what is stored is read again, and what is no settings is none', () => {
  expect(parseStoredSettings(JSON.stringify(SETTINGS))).toEqual(SETTINGS);
  for (const text of [undefined, '', '{}', 'null', '{"image":""}']) expect(parseStoredSettings(text)).toBeNull();
});
