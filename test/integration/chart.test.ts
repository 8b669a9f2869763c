import { copyFile, cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, parseAllDocuments, stringify } from 'yaml';
import * as z from 'zod';
import { helmWith, type Helm } from '../../lab/helm.ts';
import { lacksRealPart } from '../../lab/real-parts.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { parseEraserConfig } from '../../src/api/eraser-config/parse-eraser-config.ts';
import { defaultConfiguration } from '../../src/installation/default-configuration.ts';
import { makeDefinitions } from '../../src/installation/make-definitions.ts';
import { DEFAULT_RESOURCES, makeManifest, type ManifestOptions } from '../../src/installation/make-manifest.ts';
import { parseDuration } from '../../src/platform/duration.ts';
import { parseYaml } from '../../src/platform/parse-yaml.ts';
import { parseQuantity } from '../../src/platform/quantity.ts';
import { V1ALPHA1 } from '../fakes/eraser-configs.ts';

const path = (name: string): string => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const CHART = path('deploy/chart/image-cleaner');
const ERASERS_VALUES = path('test/fakes/eraser-chart/values.yaml');
const { version } = packageJson;
const OURS = { image: `image-cleaner:${version}`, scannerImage: `image-cleaner-scanner:${version}` };
const RELEASE = 'cleaner';
const NAMESPACE = 'eraser-system';
const POSTGRES = 'postgres://cleaner@db.example:5432/cleaner';
const PASSWORD = 'a-password-that-nobody-may-see';
const CONFIG_KEY = 'controller_manager_config.yaml';

/** What helm says of the release; the manifest has none of it. */
const RELEASE_LABELS = ['app.kubernetes.io/instance', 'app.kubernetes.io/managed-by', 'app.kubernetes.io/version', 'helm.sh/chart'];
const NAME_LABEL = 'app.kubernetes.io/name';
const POLICY = 'helm.sh/resource-policy';
/** Outlasts the release. */
const KEPT = [
  'CustomResourceDefinition/imagejobs.eraser.sh',
  'CustomResourceDefinition/imagelists.eraser.sh',
  'ConfigMap/eraser-system-exclusion',
];
/** By which the Deployment selects its pods: what Eraser's chart, of the name "eraser", made it. */
const selectorOf = (name: string): Record<string, string> => ({
  'app.kubernetes.io/instance': RELEASE,
  'app.kubernetes.io/managed-by': 'Helm',
  [NAME_LABEL]: name,
  'control-plane': 'controller-manager',
  'helm.sh/chart': name,
});

const textMap = z.record(z.string(), z.string());
const objectSchema = z.looseObject({
  kind: z.string(),
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string().optional(),
    labels: textMap.optional(),
    annotations: textMap.optional(),
  }),
  data: textMap.optional(),
});
type KubernetesObject = z.output<typeof objectSchema>;

describe.skipIf(lacksRealPart('helm'))('the Helm chart', () => {
  let helm: Helm;
  let home: string;
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'image-cleaner-test-helm-'));
    helm = await helmWith({ home });
  });
  afterAll(() => rm(home, { recursive: true }));

  async function render(values?: object, args: readonly string[] = [], chart = CHART): Promise<KubernetesObject[]> {
    const { code, stdout, stderr } = await helm(['template', RELEASE, chart, '--namespace', NAMESPACE, ...args], values);
    expect(`${String(code)} ${stderr}`).toBe('0 ');
    return parseAllDocuments(stdout).flatMap((document) => {
      const object = document.toJS() as unknown;
      return object === null ? [] : [objectSchema.parse(object)];
    });
  }

  async function configuration(values: object): Promise<unknown> {
    const found = (await render(values)).find(({ metadata }) => metadata.name === 'eraser-manager-config');
    return parse(found?.data?.[CONFIG_KEY] ?? '');
  }

  test.each([
    ['the default values', {}],
    [
      'all values that make further objects',
      {
        podDisruptionBudget: { maxUnavailable: 1 },
        networkPolicy: { enabled: true },
        history: { claim: { size: '1Gi' } },
        openshift: { enabled: true },
      },
    ],
    ['a PostgreSQL for the history', { history: { postgres: { url: POSTGRES, passwordSecret: { name: 'a' } } } }],
  ])('helm lint finds nothing: %s', async (_name, values) => {
    const { code, stdout, stderr } = await helm(['lint', '--strict', CHART], values);
    expect(`${String(code)} ${stderr}`).toBe('0 ');
    expect(stdout).not.toMatch(/\[(ERROR|WARNING)\]/);
  });

  test.each<readonly [string, object, Partial<ManifestOptions>]>([
    ['the default values', {}, {}],
    [
      'other values',
      {
        runtimeConfig: { manager: { logLevel: 'debug', pullSecrets: ['theirs'] }, components: { scanner: { enabled: false } } },
        deploy: {
          image: { repo: 'registry.example/cleaner', tag: '9.9.9', pullPolicy: 'Never' },
          additionalArgs: ['--max-parallel=25%', '--lease-duration=30s'],
          priorityClassName: 'system-cluster-critical',
          additionalPodLabels: { team: 'platform', 'control-plane': 'mine' },
          securityContext: { runAsUser: 1000, readOnlyRootFilesystem: false },
          resources: { limits: { memory: '1Gi', cpu: 1 }, requests: { memory: '200Mi' } },
          nodeSelector: { pool: 'system' },
          tolerations: [{ key: 'CriticalAddonsOnly', operator: 'Exists' }],
          affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] } } },
        },
        nameOverride: 'janitor',
        imageRegistry: 'registry.example/mirror/',
        pullSecrets: ['ours', 'theirs'],
        trivy: {
          databaseRepository: 'registry.example/trivy-db',
          args: ['--skip-db-update'],
          resources: { limits: { memory: '3Gi' } },
          cache: { volume: { hostPath: { path: '/srv/trivy', type: 'Directory' } } },
        },
        history: { claim: { size: '2Gi', storageClassName: 'fast', accessMode: 'ReadWriteOncePod' } },
        podDisruptionBudget: { maxUnavailable: 1 },
        networkPolicy: { enabled: true },
        openshift: { enabled: true },
      },
      {
        image: 'registry.example/cleaner:9.9.9',
        scannerImage: `registry.example/mirror/image-cleaner-scanner:${version}`,
        pullPolicy: 'Never',
        managerArgs: ['--max-parallel=25%', '--lease-duration=30s'],
        configuration: changed((config) => {
          config.manager = { ...config.manager, logLevel: 'debug', pullSecrets: ['theirs'] };
          config.components['scanner'] = { ...config.components['scanner'], enabled: false };
          for (const name of ['collector', 'remover']) config.components[name] = { ...config.components[name], image: { tag: '9.9.9' } };
        }),
        pullSecrets: ['ours', 'theirs'],
        pod: {
          labels: { team: 'platform' },
          priorityClassName: 'system-cluster-critical',
          nodeSelector: { 'kubernetes.io/os': 'linux', pool: 'system' },
          tolerations: [{ key: 'CriticalAddonsOnly', operator: 'Exists' }],
          affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] } } },
        },
        securityContext: { runAsUser: 1000, readOnlyRootFilesystem: false },
        resources: {
          manager: { requests: { cpu: '50m', memory: '200Mi' }, limits: { cpu: 1, memory: '1Gi' } },
          trivy: { ...DEFAULT_RESOURCES.trivy, limits: { memory: '3Gi' } },
        },
        selector: selectorOf('janitor'),
        trivyArgs: ['--db-repository=registry.example/trivy-db', '--skip-db-update'],
        trivyCache: { hostPath: { path: '/srv/trivy', type: 'Directory' } },
        historyClaim: { size: '2Gi', storageClassName: 'fast', accessMode: 'ReadWriteOncePod' },
        podDisruptionBudget: { maxUnavailable: 1 },
        networkPolicy: true,
        openshift: true,
      },
    ],
    [
      'a volume for the history, images of a registry of the own',
      { history: { volume: { persistentVolumeClaim: { claimName: 'mine' } } }, imageRegistry: 'registry.example' },
      {
        historyVolume: { persistentVolumeClaim: { claimName: 'mine' } },
        image: `registry.example/${OURS.image}`,
        scannerImage: `registry.example/${OURS.scannerImage}`,
      },
    ],
    [
      'a PostgreSQL for the history, and a CA in a ConfigMap',
      {
        history: {
          postgres: { url: POSTGRES, passwordSecret: { name: 'history' }, caConfigMap: { name: 'history-ca', key: 'root.pem' } },
        },
        deploy: { additionalArgs: ['--history-from-cluster=a'] },
      },
      {
        historyServer: {
          url: POSTGRES,
          passwordSecret: { name: 'history', key: 'password' },
          ca: { kind: 'ConfigMap', name: 'history-ca', key: 'root.pem' },
        },
        managerArgs: ['--history-from-cluster=a'],
      },
    ],
    [
      'the same with parameters, and a CA in a Secret',
      {
        history: { postgres: { url: `${POSTGRES}?sslmode=verify-full`, passwordSecret: { name: 'a', key: 'b' }, caSecret: { name: 'a' } } },
      },
      {
        historyServer: {
          url: `${POSTGRES}?sslmode=verify-full`,
          passwordSecret: { name: 'a', key: 'b' },
          ca: { kind: 'Secret', name: 'a', key: 'ca.crt' },
        },
      },
    ],
    [
      'one that asks for nothing',
      { history: { postgres: { url: `${POSTGRES}?sslmode=disable` } } },
      { historyServer: { url: `${POSTGRES}?sslmode=disable`, passwordSecret: null, ca: null } },
    ],
  ])('%s give the objects of the manifest', async (_name, values, options) => {
    const rendered = await render(values);
    expect(bySite(rendered.map(withoutRelease))).toEqual(bySite(manifestObjects(options)));
    for (const object of rendered)
      expect(object.metadata.labels).toMatchObject({ [NAME_LABEL]: 'image-cleaner', 'app.kubernetes.io/instance': RELEASE });
    const claims = options.historyClaim === undefined ? [] : ['PersistentVolumeClaim/eraser-history'];
    expect(
      rendered
        .filter(({ metadata }) => metadata.annotations?.[POLICY] === 'keep')
        .map(kindAndName)
        .sort(),
    ).toEqual([...KEPT, ...claims].sort());
  });

  test.each(['kube-system', 'default'])('in the namespace %s, too', async (namespace) => {
    const rendered = await render({}, ['--namespace', namespace]);
    expect(bySite(rendered.map(withoutRelease))).toEqual(bySite(manifestObjects({ namespace })));
  });

  /** What `--reuse-values` makes of this chart: its values are those of the release that there is. */
  async function renderOverErasers(): Promise<KubernetesObject[]> {
    const chart = join(home, 'chart-over-erasers');
    await cp(CHART, chart, { recursive: true });
    await copyFile(ERASERS_VALUES, join(chart, 'values.yaml'));
    return render(undefined, [], chart);
  }

  test.each([
    ["a values file written for Eraser's chart", () => render(undefined, ['--values', ERASERS_VALUES])],
    ["the values of a release of Eraser's chart, and none of this one's", renderOverErasers],
  ])('%s: none of its images runs, the manager has the memory that it needs, the rest holds', async (_name, renderIt) => {
    const rendered = await renderIt();
    const values = z.object({ runtimeConfig: configShape }).parse(parse(await readFile(ERASERS_VALUES, 'utf8')));
    const ofRelease = (name: string): object => ({ ...values.runtimeConfig.components[name], image: { tag: version } });
    const { scheduling, imageJob } = configShape.parse(parse(defaultConfiguration(version))).manager;
    const config = {
      ...values.runtimeConfig,
      manager: { ...values.runtimeConfig.manager, scheduling, imageJob },
      components: { collector: ofRelease('collector'), scanner: ofRelease('scanner'), remover: ofRelease('remover') },
    };
    const resources = { manager: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '512Mi' } } };
    expect(bySite(rendered.map(withoutRelease))).toEqual(bySite(manifestObjects({ configuration: stringify(config), resources })));
    expect(JSON.stringify(rendered)).not.toMatch(/eraser-dev|v1\.4\.1/);
  });

  test.each([
    ["Eraser's repository under another registry", { repo: 'registry.example/mirror/eraser-manager', tag: 'v1.3.1' }, OURS.image],
    ["a tag of Eraser's alone", { tag: 'v1.4.0' }, OURS.image],
    ['a tag of ours', { tag: '0.2.0' }, 'image-cleaner:0.2.0'],
  ])('%s: what runs', async (_name, image, expected) => {
    const deployment = (await render({ deploy: { image } })).find(({ kind }) => kind === 'Deployment');
    expect(JSON.stringify(deployment)).toContain(`"image":"${expected}"`);
    expect(JSON.stringify(deployment)).toContain(`--worker-image=${expected}`);
  });

  test.each([
    ['30Mi', '512Mi'],
    ['255Mi', '512Mi'],
    ['134217728', '512Mi'],
    ['1.5e8', '512Mi'],
    ['100000k', '512Mi'],
    ['256Mi', '256Mi'],
    ['0.5Gi', '0.5Gi'],
    ['1G', '1G'],
  ])('a memory limit of %s is one of %s', async (memory, expected) => {
    const rendered = await render({ deploy: { resources: { limits: { memory }, requests: { memory: '20Mi' } } } });
    const requested = memory === expected ? '20Mi' : '128Mi';
    expect(JSON.stringify(rendered)).toContain(`{"limits":{"memory":"${expected}"},"requests":{"cpu":"50m","memory":"${requested}"}}`);
  });

  test('what is set to false, zero or nothing in the configuration stays so', async () => {
    const values = {
      runtimeConfig: {
        manager: { scheduling: { beginImmediately: false }, nodeFilter: null, imageJob: { successRatio: 0 } },
        components: { collector: { enabled: false }, scanner: { config: '' } },
      },
    };
    const config = await configuration(values);
    expect(config).toMatchObject({
      manager: { scheduling: { beginImmediately: false, repeatInterval: '24h' }, imageJob: { successRatio: 0 } },
      components: { collector: { enabled: false }, scanner: { enabled: true, config: '' } },
    });
    expect(config).not.toHaveProperty('manager.nodeFilter');
  });

  test('a configuration of an older version gets nothing that it has no name for', async () => {
    const config = await configuration({ runtimeConfig: V1ALPHA1 });
    const components = Object.fromEntries(
      Object.entries(V1ALPHA1.components).map(([name, component]) => [name, { ...component, image: { ...component.image, tag: version } }]),
    );
    expect(config).toEqual({ ...V1ALPHA1, components });
    const parsers = { duration: parseDuration, quantity: parseQuantity, yaml: parseYaml };
    expect(parseEraserConfig(config, parsers)).toMatchObject({ ok: true });
  });

  test('a scanner of the own keeps its image, and gets no configuration of ours', async () => {
    const scanner = { image: { repo: 'registry.example/my-scanner' } };
    expect(await configuration({ runtimeConfig: { components: { scanner } } })).toHaveProperty('components.scanner', {
      ...scanner,
      enabled: true,
    });
    const tagged = { image: { repo: 'registry.example/my-scanner', tag: 'v2' }, config: 'mode: fast' };
    expect(await configuration({ runtimeConfig: { components: { scanner: tagged } } })).toHaveProperty('components.scanner', {
      ...tagged,
      enabled: true,
    });
  });

  test.each([
    ['a mirror', 'dbRepo: registry.example/trivy-db', {}, '--db-repository=registry.example/trivy-db'],
    ["the value's", 'dbRepo: registry.example/trivy-db', { databaseRepository: 'other.example/db' }, '--db-repository=other.example/db'],
    ["Eraser's default", 'dbRepo: ghcr.io/aquasecurity/trivy-db', {}, null],
    ['none', '', {}, null],
  ])('the vulnerability database: %s', async (_name, config, trivy, flag) => {
    const text = JSON.stringify(
      (await render({ runtimeConfig: { components: { scanner: { config } } }, trivy })).find(({ kind }) => kind === 'Deployment'),
    );
    expect(/--db-repository=[^"]*/.exec(text)?.[0] ?? null).toBe(flag);
  });

  test.each([
    ['an unknown value', { trivvy: {} }, "at '': additional properties 'trivvy' not allowed"],
    ['an unknown value of a group', { deploy: { imge: {} } }, "at '/deploy': additional properties 'imge' not allowed"],
    ['a list that is none', { trivy: { args: '--debug' } }, "at '/trivy/args': got string, want array"],
    [
      'a word that is none of those',
      { deploy: { image: { pullPolicy: 'Sometimes' } } },
      "at '/deploy/image/pullPolicy': value must be one of",
    ],
    ['a configuration that is a text', { runtimeConfig: 'a' }, "at '/runtimeConfig': got string, want object"],
  ])('%s is refused', async (_name, values, message) => {
    const { code, stderr } = await helm(['template', RELEASE, CHART], values);
    expect(code).not.toBe(0);
    expect(stderr).toContain(message);
  });

  test.each<[string, object, string, string[]?]>([
    ['a password in the URL', { url: `postgres://cleaner:${PASSWORD}@db.example/cleaner` }, 'has a password in it'],
    [
      'the same for a password with what ends a host',
      { url: `postgres://cleaner:${PASSWORD}?#@db.example/cleaner` },
      'has a password in it',
    ],
    ['the same as a flag', {}, 'has a password in it', [`--history=postgresql://cleaner:${PASSWORD}@db.example/cleaner`]],
    ['a password as a parameter', { url: `${POSTGRES}?password=${PASSWORD}` }, 'is no postgres://'],
    ['the same with a slash in it', {}, 'has a password in it', [`--history=postgres://cleaner:${PASSWORD}/a@db.example/cleaner`]],
    ['no URL', { url: `/${PASSWORD}` }, 'is no postgres://'],
    ['a URL without a user', { url: `postgres://${PASSWORD}/cleaner` }, 'is no postgres://'],
    ['a password without a URL', { passwordSecret: { name: 'a' } }, 'and no url'],
    ['a CA without a URL', { caSecret: { name: 'a' } }, 'and no url'],
    ['two CAs', { url: POSTGRES, caConfigMap: { name: 'a' }, caSecret: { name: 'a' } }, 'leave one of them out'],
    ['a CA for no TLS', { url: `${POSTGRES}?sslmode=disable`, caSecret: { name: 'a' } }, 'sslmode=disable'],
    ['a CA beside another', { url: `${POSTGRES}?sslrootcert=/a`, caSecret: { name: 'a' } }, 'sslrootcert'],
    ['a history that is named twice', { url: POSTGRES }, 'names a history beside', ['--history=/a/file']],
    ['a password that is named twice', { url: POSTGRES }, 'names a history beside', ['--history-password-file=/a/file']],
    ['a claim for no file', { url: POSTGRES }, 'goes without history.volume'],
  ])('a history in a PostgreSQL: %s is refused, and not repeated', async (name, postgres, message, additionalArgs = []) => {
    const claim = { size: name === 'a claim for no file' ? '1Gi' : '' };
    const { code, stdout, stderr } = await helm(['template', RELEASE, CHART], {
      history: { postgres, claim },
      deploy: { additionalArgs },
    });
    expect(code).not.toBe(0);
    expect(stderr).toContain(message);
    expect(`${stdout}${stderr}`).not.toContain(PASSWORD);
  });

  test('values of a chart that this one is a part of are taken', async () => {
    expect(await render({ global: { imageRegistry: 'registry.example' } })).not.toEqual([]);
  });
});

const configShape = z.looseObject({ manager: z.looseObject({}), components: z.record(z.string(), z.looseObject({})) });

function changed(change: (config: z.output<typeof configShape>) => void): string {
  const config = configShape.parse(parse(defaultConfiguration(version)));
  change(config);
  return stringify(config);
}

/** With the defaults of the chart, as far as they are the release's. Helm does not own the namespace. */
function manifestObjects(options: Partial<ManifestOptions>): object[] {
  const defaults = { namespace: NAMESPACE, ...OURS, configuration: defaultConfiguration(version), selector: selectorOf('eraser') };
  const objects = [...makeDefinitions(), ...makeManifest({ ...defaults, ...options })].map((object) => objectSchema.parse(object));
  return objects.filter(({ kind }) => kind !== 'Namespace').map(comparable);
}

function kindAndName({ kind, metadata }: KubernetesObject): string {
  return `${kind}/${metadata.name}`;
}

/** As what it says: the configuration and exclusions are text in it. */
function comparable(object: KubernetesObject): object {
  const { data, metadata } = object;
  const { labels, annotations, ...rest } = metadata;
  return {
    ...object,
    metadata: { ...rest, labels: without(labels, NAME_LABEL), annotations: without(annotations) },
    ...(data === undefined ? {} : { data: Object.fromEntries(Object.entries(data).map(([key, text]) => [key, parse(text)])) }),
  };
}

/** Without what helm's chart adds to an object: never to a pod. */
function withoutRelease(object: KubernetesObject): object {
  const { labels, annotations } = object.metadata;
  return comparable({
    ...object,
    metadata: { ...object.metadata, labels: without(labels, ...RELEASE_LABELS), annotations: without(annotations, POLICY) },
  });
}

function without(map: Readonly<Record<string, string>> = {}, ...names: readonly string[]): Record<string, string> {
  return Object.fromEntries(Object.entries(map).filter(([name]) => !names.includes(name)));
}

function bySite(objects: readonly object[]): Map<string, object> {
  const placed = objects.map((object): [string, object] => {
    const { kind, metadata } = objectSchema
      .omit({ data: true })
      .parse({ ...object, metadata: { ...metadataOf(object), labels: {}, annotations: {} } });
    return [`${kind} ${metadata.namespace ?? ''}/${metadata.name}`, object];
  });
  const map = new Map(placed.sort(([a], [b]) => (a < b ? -1 : 1)));
  expect(map.size).toBe(objects.length);
  return map;
}

function metadataOf(object: object): object {
  return z.object({ metadata: z.looseObject({}) }).parse(object).metadata;
}
