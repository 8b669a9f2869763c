import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, onTestFailed, test, vi } from 'vitest';
import { parse, stringify } from 'yaml';
import * as z from 'zod';
import { runClusterCli, type ClusterCliResult } from './start-cluster-cli.ts';
import { library, vulnerable } from './sample-images.ts';
import { firstNode, lacksCluster, connectSite, SOON, type InspectedNode, type Installation } from './site.ts';

const GONE = library('gone:1');
const configMapSchema = z.object({
  metadata: z.object({ annotations: z.partialRecord(z.string(), z.string()).default({}) }),
  data: z.object({ 'controller_manager_config.yaml': z.string() }),
});
const itemsSchema = z.object({
  items: z.array(z.object({ kind: z.string(), metadata: z.looseObject({ name: z.string(), resourceVersion: z.string() }) })),
});

describe.skipIf(lacksCluster())('image-cleaner cluster enable, update and disable', () => {
  let site: Installation;
  let node: InspectedNode;
  let folder: string;

  beforeAll(async () => {
    site = await connectSite();
    node = firstNode(site);
    folder = await mkdtemp(join(tmpdir(), 'image-cleaner-enable-'));
  });
  afterAll(async () => {
    await site.remove();
    await site.close();
    await rm(folder, { recursive: true });
  });
  beforeEach(() => {
    onTestFailed(async () => void process.stderr.write(await site.logs()));
  });

  /** The flags that this cluster needs: it has no registry, and no way to a database. */
  function flags(): string[] {
    const { image, scannerImage, trivyCache } = inject('prepared');
    const trivy = ['--trivy-cache-host-path', trivyCache, '--trivy-arg=--skip-db-update'];
    return ['--image', image, '--scanner-image', scannerImage, ...trivy, '--manager-arg=--lease-duration=8s'];
  }
  async function succeed(args: readonly string[]): Promise<ClusterCliResult> {
    const result = await runClusterCli(args);
    expect(result.code, result.stderr).toBe(0);
    return result;
  }
  async function configMap(): Promise<z.output<typeof configMapSchema>> {
    return site.read(configMapSchema, `/api/v1/namespaces/${site.namespace}/configmaps/eraser-manager-config`);
  }
  const configuration = async (): Promise<string> => (await configMap()).data['controller_manager_config.yaml'];
  const interval = async (): Promise<unknown> =>
    (parse(await configuration()) as { manager: { scheduling: { repeatInterval: unknown } } }).manager.scheduling.repeatInterval;
  const exists = async (...reference: string[]): Promise<boolean> =>
    (await site.do(['get', ...reference, '--ignore-not-found', '-o', 'name'])) !== '';
  /** Of every object that an enable may touch. */
  async function allObjects(): Promise<Record<string, string>> {
    const kinds = 'ns,sa,clusterrole,clusterrolebinding,role,rolebinding,priorityclass,crd,cm,svc,deploy,imagelist';
    const { items } = itemsSchema.parse(JSON.parse(await site.do(['get', kinds, '-A', '-o', 'json'])));
    return Object.fromEntries(
      items.map(({ kind, metadata }) => [`${kind} ${String(metadata['namespace'])}/${metadata.name}`, metadata.resourceVersion]),
    );
  }
  async function removeAll(): Promise<void> {
    await runClusterCli(['disable', '--purge', '--yes']);
  }

  test('a first enable: a week, and a run at once', async () => {
    await removeAll();
    await node.import([vulnerable(GONE)]);
    const enabled = succeed(['enable', ...flags()]);
    const runs = vi.waitFor(async () => expect((await site.workerPods()).map(({ status }) => status.phase)).toContain('Running'), {
      timeout: 60_000,
      interval: 50,
    });
    // That it failed says more than that no pod runs.
    await Promise.race([runs, enabled.then(() => runs)]);
    await enabled;
    expect(await interval()).toBe('168h');
    await vi.waitFor(async () => expect(await node.tags()).not.toContain(GONE), SOON);
  });

  test('enabled once more, nothing is changed', async () => {
    const before = await site.do(['get', 'deployment', '-n', site.namespace, '-o', 'jsonpath={.items[*].metadata.generation}']);
    const { stdout } = await succeed(['enable']);
    expect(stdout).toMatch(/nothing had to be changed/);
    expect(await site.do(['get', 'deployment', '-n', site.namespace, '-o', 'jsonpath={.items[*].metadata.generation}'])).toBe(before);
  });

  test('disable takes the workloads, also of a run that is under way, and keeps all that they went by', async () => {
    await site.exclude('mine', { 'a.json': ['ghcr.io/acme/*'] });
    await site.applyList([GONE]);
    await vi.waitFor(async () => expect(await site.workerPods()).not.toEqual([]), { ...SOON, interval: 100 });
    const before = await configuration();
    await succeed(['disable']);
    expect(await site.workerPods()).toEqual([]);
    expect(await site.managerPods()).toEqual([]);
    expect(await exists('deployment', '-n', site.namespace, 'eraser-controller-manager')).toBe(false);
    expect(await configuration()).toBe(before);
    for (const name of ['mine', 'eraser-system-exclusion', 'eraser-manager-state']) {
      expect(await exists('configmap', '-n', site.namespace, name), name).toBe(true);
    }
    expect((await site.list()).spec?.images).toEqual([GONE]);
    expect(await exists('crd', 'imagejobs.eraser.sh')).toBe(true);
  });

  test('a dry run changes nothing, and shows what would change', async () => {
    await site.do(['wait', '-n', site.namespace, '--for=delete', 'pods', '--all', '--timeout=60s']);
    const before = await allObjects();
    const { stdout } = await succeed(['enable', '--dry-run', '--image-cleaner-interval-hours', '240', '--manager-arg=--max-parallel=1']);
    expect(stdout).toContain('manager.scheduling.repeatInterval: 168h -> 240h');
    expect(stdout).toContain(`created    Deployment ${site.namespace}/eraser-controller-manager`);
    expect(await allObjects()).toEqual(before);
  });

  test('after a disable it needs no flags, and a run is asked for', async () => {
    const before = (await configMap()).metadata.annotations['eraser.sh/run-requested'];
    await succeed(['enable']);
    const { annotations } = (await configMap()).metadata;
    expect(annotations['eraser.sh/run-requested']).toMatch(/^[\w-]{8,}$/);
    expect(annotations['eraser.sh/run-requested']).not.toBe(before);
    const [pod] = await site.managerPods();
    expect(pod?.spec.containers.map(({ image }) => image)).toEqual([inject('prepared').image, inject('prepared').scannerImage]);
    await succeed(['update']);
    expect((await configMap()).metadata.annotations).toEqual(annotations);
  });

  /** As AKS documents it: what is stored holds, unless another value is given. */
  const cases: readonly (readonly [string, readonly (readonly string[])[], string])[] = [
    ['an interval at the enabling', [['enable', '--image-cleaner-interval-hours', '48']], '48h'],
    ['the stored one after a disable', [['enable', '--image-cleaner-interval-hours', '48'], ['disable'], ['enable']], '48h'],
    ['a new one after a disable', [['enable'], ['disable'], ['enable', '--image-cleaner-interval-hours', '96']], '96h'],
    [
      'that of an update, also after a disable',
      [['enable'], ['update', '--image-cleaner-interval-hours', '72'], ['disable'], ['enable']],
      '72h',
    ],
    [
      "AKS's own flags",
      [
        ['update', '--enable-image-cleaner', '--image-cleaner-interval-hours', '24'],
        ['update', '--disable-image-cleaner'],
        ['update', '--enable-image-cleaner'],
      ],
      '24h',
    ],
  ];
  for (const [name, commands, expected] of cases) {
    test(`the interval: ${name}`, async () => {
      await site.do(['delete', 'configmap', '-n', site.namespace, 'eraser-manager-config', '--ignore-not-found']);
      for (const args of commands) await succeed(args);
      expect(await interval()).toBe(expected);
    });
  }

  test('what users wrote stays, to the letter; an interval takes the place of a cron expression', async () => {
    const written = [
      '# ours',
      'apiVersion: eraser.sh/v1alpha3',
      'kind: EraserConfig',
      'manager:',
      '  scheduling: # by night',
      '    cron: "0 3 * * *"',
      'components: {collector: {enabled: true}, scanner: {enabled: true}}',
      '',
    ].join('\n');
    await site.configure(written);
    await succeed(['enable']);
    expect(await configuration()).toBe(written);
    await succeed(['update', '--image-cleaner-interval-hours', '48']);
    expect(await interval()).toBe('48h');
    expect(await configuration()).toMatch(/^# ours\n[^]*# by night/);
    expect(await configuration()).not.toContain('cron');
  });

  test('config get, set and validate', async () => {
    await succeed(['config', 'set', 'manager.imageJob.maxParallel=10%', 'components.scanner.config.vulnerabilities.severities=[CRITICAL]']);
    expect(parse(await configuration())).toMatchObject({ manager: { imageJob: { maxParallel: '10%' } } });
    expect((await succeed(['config', 'get', 'components.scanner.config.vulnerabilities.severities'])).stdout).toBe('["CRITICAL"]\n');
    const before = await configuration();
    const refused = await runClusterCli(['config', 'set', 'manager.schedulin.cron=x']);
    expect(refused).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('manager.schedulin: unknown; did you mean scheduling?') as string,
    });
    expect(await configuration()).toBe(before);
    await succeed(['config', 'validate']);
    await writeFile(join(folder, 'bad.yaml'), 'apiVersion: eraser.sh/v1alpha3\nkind: EraserConfig\nmanager: {logLevel: loud}\n');
    expect(await runClusterCli(['config', 'validate', join(folder, 'bad.yaml')])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('manager.logLevel') as string,
    });
  });

  test('an image that cannot be pulled is told, and the next enable finishes', async () => {
    const image = '127.0.0.1:1/team/image-cleaner:0.1.0';
    const failed = await runClusterCli(['update', '--image', image]);
    expect(failed.code).toBe(1);
    expect(failed.stderr).toContain(`the image ${image} of manager cannot be pulled`);
    expect(failed.stderr).toContain('--image');
    await succeed(['enable', ...flags()]);
  });

  test('a field that another has set is taken over, and that is told', async () => {
    await site.do([
      'patch',
      'deployment',
      '-n',
      site.namespace,
      'eraser-controller-manager',
      '--type=merge',
      '-p',
      '{"spec":{"replicas":0}}',
    ]);
    const { stderr } = await succeed(['enable']);
    expect(stderr).toMatch(/taken over from kubectl.*\.spec\.replicas/);
    expect(await site.managerPods()).toHaveLength(1);
  });

  test('purge asks, and takes all: definitions, lists, exclusions, the namespace', async () => {
    await site.applyList([GONE]);
    const refused = await runClusterCli(['disable', '--purge']);
    expect(refused).toMatchObject({ code: 3, stderr: expect.stringContaining('1 ImageList (imagelist)') as string });
    expect(await exists('deployment', '-n', site.namespace, 'eraser-controller-manager')).toBe(true);
    await succeed(['disable', '--purge', '--yes']);
    expect(Object.keys(await withoutKind(allObjects)).filter((name) => name.includes('eraser'))).toEqual([]);
  });

  /** The kind of lists is gone then. */
  async function withoutKind(read: () => Promise<Record<string, string>>): Promise<Record<string, string>> {
    await site.do(['apply', '-f', join(import.meta.dirname, '../../deploy/crds/eraser.sh_imagelists.yaml')]).catch(() => '');
    const found = await read();
    return Object.fromEntries(Object.entries(found).filter(([name]) => !name.startsWith('CustomResourceDefinition')));
  }
});

describe.skipIf(lacksCluster())('what image-cleaner cluster enable looks at before it changes anything', () => {
  let site: Installation;
  let folder: string;
  const image = ['--image', 'registry.example/team/image-cleaner:0.1.0'];

  beforeAll(async () => {
    site = await connectSite();
    folder = await mkdtemp(join(tmpdir(), 'image-cleaner-preflight-'));
  });
  afterAll(async () => {
    await site.remove();
    await site.close();
    await rm(folder, { recursive: true });
  });

  async function expectRefused(args: readonly string[], code: number, message: RegExp, kubeconfig?: string): Promise<void> {
    const result = await runClusterCli(args, kubeconfig);
    expect(result.code, result.stderr).toBe(code);
    expect(result.stderr).toMatch(message);
    expect(await site.do(['get', 'clusterrole', 'eraser-manager-role', '--ignore-not-found', '-o', 'name'])).toBe('');
  }
  /** The cluster's, with another server or user. */
  async function kubeconfigWith(name: string, change: (config: Kubeconfig) => void): Promise<string> {
    const config = parse(await readFile(inject('prepared').cluster.kubeconfig, 'utf8')) as Kubeconfig;
    change(config);
    const file = join(folder, name);
    await writeFile(file, stringify(config));
    return file;
  }
  interface Kubeconfig {
    readonly clusters: readonly [{ readonly cluster: { server: string } }];
    readonly users: readonly [{ user: object }];
  }

  test('the interval and its bounds, the image', async () => {
    for (const hours of ['23', '2161', '1.5', 'week'])
      await expectRefused(['enable', ...image, '--image-cleaner-interval-hours', hours], 2, /24 .* 2160/);
    await expectRefused(['enable'], 2, /--image /);
    await expectRefused(['update', ...image], 1, /image-cleaner cluster enable/);
  });

  test('a server that does not answer, a context that is not there', async () => {
    const away = await kubeconfigWith('away', ({ clusters }) => void (clusters[0].cluster.server = 'https://127.0.0.1:1'));
    await expectRefused(['enable', ...image], 1, /127\.0\.0\.1:1/, away);
    await expectRefused(['enable', ...image, '--context', 'nowhere'], 1, /nowhere/);
  });

  test('rights: each that is missing, with its verb', async () => {
    await site.do(['create', 'serviceaccount', '-n', 'default', 'reader']);
    await site.do(['create', 'clusterrolebinding', 'reader', '--clusterrole=view', '--serviceaccount=default:reader']);
    const token = (await site.do(['create', 'token', '-n', 'default', 'reader'])).trim();
    const reader = await kubeconfigWith('reader', ({ users }) => void (users[0].user = { token }));
    await expectRefused(['enable', ...image], 1, /create deployments\.apps in namespace eraser-system/, reader);
    await expectRefused(['enable', ...image], 1, /patch clusterroles\.rbac\.authorization\.k8s\.io/, reader);
    await site.do(['delete', 'clusterrolebinding', 'reader']);
    await site.do(['delete', 'serviceaccount', '-n', 'default', 'reader']);
  });

  test('Pod Security of a namespace that is there', async () => {
    await site.do(['create', 'namespace', 'strict']);
    await site.do(['label', 'namespace', 'strict', 'pod-security.kubernetes.io/enforce=restricted']);
    await expectRefused(['enable', ...image, '-n', 'strict'], 1, /"restricted".*"privileged"[^]*kubectl label namespace strict/);
    await site.do(['delete', 'namespace', 'strict', '--wait=false']);
  });

  test('an Eraser: elsewhere refused, here replaced only when that is confirmed', async () => {
    await site.do(['create', 'namespace', site.namespace]);
    const labels = { app: 'eraser' };
    const spec = {
      replicas: 0,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'manager', image: 'ghcr.io/eraser-dev/eraser-manager:v1.4.0' }] } },
    };
    const metadata = { name: 'eraser-controller-manager', namespace: site.namespace, labels };
    await site.do(['apply', '-f', '-'], { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec });
    await expectRefused(['enable', ...image, '-n', 'kube-system'], 1, /in the namespace eraser-system already/);
    await expectRefused(['enable', ...image], 3, /Eraser[^]*--yes/);
    await expectRefused(['disable'], 3, /Eraser/);
    const { image: own, scannerImage, trivyCache } = inject('prepared');
    const flags = ['--image', own, '--scanner-image', scannerImage, '--trivy-cache-host-path', trivyCache, '--trivy-arg=--skip-db-update'];
    const result = await runClusterCli(['enable', '--yes', ...flags]);
    expect(result.code, result.stderr).toBe(0);
    expect((await site.managerPods()).map(({ spec: { containers } }) => containers[0]?.image)).toEqual([own]);
    expect((await runClusterCli(['enable', ...image, '-n', 'kube-system'])).stderr).toMatch(/in the namespace eraser-system already/);
    // A namespace that was there before stays, though nothing is left in it.
    const purged = await runClusterCli(['disable', '--purge', '--yes']);
    expect(purged.stdout).toMatch(/was there before it, and stays/);
    await site.do(['get', 'namespace', site.namespace]);
  });
});
