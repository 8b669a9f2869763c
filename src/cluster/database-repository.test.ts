import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import * as z from 'zod';
import { defaultConfiguration } from '../installation/default-configuration.ts';
import { DEPLOYMENTS } from '../kube/resource.ts';
import { databaseRepositoryOf } from './database-repository.ts';
import { installationObjects } from './installation-objects.ts';
import { NO_SETTINGS, settingsOfDeployment } from './installed-settings.ts';

const MIRROR = 'registry.example/mirror/trivy-db';
const withScanner = (scanner: object): string =>
  stringify({ apiVersion: 'eraser.sh/v1alpha3', kind: 'EraserConfig', components: { scanner: { enabled: true, ...scanner } } });

test.each<[string, string, string | null]>([
  ['the default', defaultConfiguration('0.1.0'), null],
  ['a mirror', withScanner({ config: `dbRepo: ${MIRROR}` }), MIRROR],
  ["Eraser's default", withScanner({ config: 'dbRepo: ghcr.io/aquasecurity/trivy-db' }), null],
  [
    'a scanner of the own, that calls something else so',
    withScanner({ image: { repo: 'registry.example/mine' }, config: `dbRepo: ${MIRROR}` }),
    null,
  ],
  ['what nobody can read', 'a: [', null],
  ['none', '', null],
])('%s', (_what, configuration, expected) => {
  expect(databaseRepositoryOf(configuration)).toBe(expected);
});

const deploymentSchema = z.object({
  spec: z.object({
    template: z.object({
      spec: z.object({
        containers: z.array(z.object({ name: z.string(), env: z.array(z.object({ name: z.string(), value: z.string().optional() })) })),
      }),
    }),
  }),
});

test.each([MIRROR, null])("it reaches Trivy's server beside the flags that were given, and is none of these: %s", (repository) => {
  const configuration = withScanner({ config: repository === null ? '' : `dbRepo: ${repository}` });
  const settings = { ...NO_SETTINGS, image: 'a', scannerImage: 'b', trivyArgs: ['--debug'] };
  const made = installationObjects('eraser-system', settings, configuration).find(({ reference }) => reference.resource === DEPLOYMENTS);
  const server = deploymentSchema.parse(made?.object).spec.template.spec.containers.find(({ name }) => name === 'trivy-server');
  expect(server?.env.find(({ name }) => name === 'TRIVY_DB_REPOSITORY')?.value ?? null).toBe(repository);
  expect(made === undefined ? null : settingsOfDeployment(made.object)).toEqual(settings);
});
