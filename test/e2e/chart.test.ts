import { cp, copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, onTestFailed, test, vi } from 'vitest';
import { parse } from 'yaml';
import * as z from 'zod';
import { corePath } from '../../lab/api-reader.ts';
import { helmWith, type Helm } from '../../lab/helm.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { firstNode, AUTOMATIC, MANUAL, SOON, connectSite, lacksCluster, type InspectedNode, type Installation } from './site.ts';
import { healthy, library, vulnerable } from './sample-images.ts';

const path = (name: string): string => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const CHART = path('deploy/chart/image-cleaner');
const RELEASE = 'cleaner';
const DEFINITIONS = ['crd/imagelists.eraser.sh', 'crd/imagejobs.eraser.sh'];

const deploymentSchema = z.looseObject({ metadata: z.looseObject({ uid: z.string(), generation: z.number() }) });
const configMapSchema = z.looseObject({
  metadata: z.looseObject({ labels: z.record(z.string(), z.string()).default({}) }),
  data: z.record(z.string(), z.string()),
});

describe.skipIf(lacksCluster())('the Helm chart on a real cluster', () => {
  let site: Installation;
  let node: InspectedNode;
  let helm: Helm;
  let home: string;

  beforeAll(async () => {
    site = await connectSite();
    node = firstNode(site);
    home = await mkdtemp(join(tmpdir(), 'image-cleaner-e2e-helm-'));
    helm = await helmWith({ home, kubeconfig: inject('prepared').cluster.kubeconfig });
    // The chart brings its own.
    await site.do(['delete', ...DEFINITIONS, '--wait']);
  });
  afterAll(async () => {
    await helm(['uninstall', RELEASE, '--namespace', site.namespace, '--ignore-not-found', '--wait']);
    await site.remove();
    await site.do(['delete', ...DEFINITIONS, '--ignore-not-found', '--wait']);
    await site.close();
    await rm(home, { recursive: true });
  });
  beforeEach(() => {
    onTestFailed(async () => void process.stderr.write(await site.logs()));
  });

  /** What this cluster needs beside: it has no network, and a manager is to take over soon. */
  const valuesWith = (runtimeConfig: object): object => ({
    runtimeConfig,
    deploy: { additionalArgs: ['--lease-duration=8s'] },
    trivy: { args: ['--skip-db-update'], cache: { volume: { hostPath: { path: inject('prepared').trivyCache, type: 'Directory' } } } },
  });

  /** What helm printed. Waits until the manager is ready, where the chart is ours. */
  async function done(args: readonly string[], values?: object): Promise<string> {
    const { code, stdout, stderr } = await helm([...args, '--namespace', site.namespace], values);
    expect(`${String(code)} ${stderr}`).toMatch(/^0 /);
    return stdout;
  }
  const untilReady = ['--wait', '--timeout', '120s'];

  const configMap = (name: string): Promise<z.output<typeof configMapSchema>> =>
    site.read(configMapSchema, `${corePath(site.namespace, 'configmaps')}/${name}`);

  /** The uid: an object that was deleted and made again has another. */
  async function uidOf(kind: string, name: string): Promise<string> {
    return site.do(['get', kind, name, '-o', 'jsonpath={.metadata.uid}']);
  }

  describe('installed, changed, removed', () => {
    test('helm install: the manager gets ready, and a list runs', async () => {
      await node.import([vulnerable(library('listed:1')), vulnerable(library('other:1'))]);
      const notes = await done(['install', RELEASE, CHART, '--create-namespace', ...untilReady], valuesWith(MANUAL));
      expect(notes).toContain(`Image Cleaner ${packageJson.version} is installed`);
      await site.applyList([library('listed:1')]);
      expect((await site.untilListIsDone()).status).toMatchObject({ success: 3, failed: 0, removedImages: 1 });
      expect(await node.tags()).toEqual([library('other:1')]);
    });

    test('helm upgrade: the new configuration holds, and nothing else changes', async () => {
      await node.import([healthy(library('healthy:1'))]);
      const list = await uidOf('imagelist', 'imagelist');
      const jobs = (await site.jobs()).length;
      await done(['upgrade', RELEASE, CHART, ...untilReady], valuesWith({ ...AUTOMATIC, components: { scanner: { enabled: false } } }));
      await site.untilJobsEnd(jobs + 1);
      expect(await node.tags()).toEqual([]);
      expect(await uidOf('imagelist', 'imagelist')).toBe(list);
    });

    test('helm uninstall: the manager goes; definitions, lists and exclusions stay', async () => {
      const list = await uidOf('imagelist', 'imagelist');
      await site.exclude('mine', { 'mine.json': ['kept'] });
      await done(['uninstall', RELEASE, '--wait']);
      await vi.waitFor(async () => expect(await site.managerPods()).toEqual([]), SOON);
      expect(await uidOf('imagelist', 'imagelist')).toBe(list);
      for (const definition of DEFINITIONS) expect(await site.do(['get', definition])).toContain('eraser.sh');
      expect((await configMap('mine')).data).toEqual({ 'mine.json': '{"excluded":["kept"]}' });
      expect((await configMap('eraser-system-exclusion')).metadata.labels).toMatchObject({ 'eraser.sh/exclude.list': 'true' });
      expect(await site.do(['get', 'clusterrole,clusterrolebinding,priorityclass', '-o', 'name'])).not.toContain('/eraser-');
    });

    test('and once more, over what stayed: exclusions that were made meanwhile hold', async () => {
      await site.do(['delete', 'configmap', '-n', site.namespace, 'eraser-manager-state']);
      const data = { 'excluded.json': '{"excluded":["protected"]}' };
      await site.do([
        'patch',
        'configmap',
        '-n',
        site.namespace,
        'eraser-system-exclusion',
        '--type=merge',
        '-p',
        JSON.stringify({ data }),
      ]);
      await node.import(['again:1', 'kept:1', 'protected:1'].map((name) => vulnerable(library(name))));
      await done(['install', RELEASE, CHART, ...untilReady], valuesWith(MANUAL));
      expect((await configMap('eraser-system-exclusion')).data).toEqual(data);
      await site.applyList(['*']);
      await site.untilListIsDone();
      expect(await node.tags()).toEqual([library('kept:1'), library('protected:1')]);
    });

    test('the API server takes what further values make', async () => {
      const values = {
        ...valuesWith(MANUAL),
        history: { claim: { size: '1Gi', storageClassName: 'fast' } },
        podDisruptionBudget: { maxUnavailable: 1 },
        networkPolicy: { enabled: true },
        openshift: { enabled: true },
      };
      const rendered = await done(['template', RELEASE, CHART], values);
      const taken = await site.do(['apply', '--dry-run=server', '-f', '-'], rendered);
      expect(taken).toContain('persistentvolumeclaim/eraser-history created');
      expect(taken).toContain('poddisruptionbudget.policy/eraser-controller-manager created');
      expect(taken).toContain('networkpolicy.networking.k8s.io/eraser-worker-pods created');
      expect(taken).toContain('rolebinding.rbac.authorization.k8s.io/eraser-worker-scc created');
    });
  });

  describe("in the place of a release of Eraser's chart", () => {
    let list: string;
    let definition: string;

    beforeAll(async () => {
      await done(['uninstall', RELEASE, '--wait']);
      await site.remove();
      await site.do(['delete', ...DEFINITIONS, '--wait']);
      const erasers = join(home, 'eraser');
      await cp(path('test/fakes/eraser-chart'), erasers, { recursive: true });
      await copyFile(path('test/fakes/eraser-crds.yaml'), join(erasers, 'templates', 'definitions.yaml'));
      await done(['install', RELEASE, erasers, '--create-namespace']);
      await vi.waitFor(() => site.applyList([library('old:1')]), SOON);
      const status = { success: 3, failed: 0, skipped: 0, timestamp: '2026-01-01T00:00:00Z' };
      await site.do(['patch', 'imagelist', 'imagelist', '--subresource=status', '--type=merge', '-p', JSON.stringify({ status })]);
      await site.exclude('eraser-exclusion', { 'mine.json': ['kept'] });
      // Made by whoever runs the cluster: no release owns it.
      await site.exclude('eraser-system-exclusion', { 'excluded.json': ['protected'] });
      list = await uidOf('imagelist', 'imagelist');
      definition = await uidOf('crd', 'imagelists.eraser.sh');
      await node.import(['old:1', 'kept:1', 'protected:1', 'rest:1'].map((name) => vulnerable(library(name))));
    }, 300_000);

    test('with the values of that release: the Deployment is replaced in place', async () => {
      const { metadata } = await site.read(deploymentSchema, deploymentPath(site.namespace));
      const values = valuesWith({ manager: { scheduling: { beginImmediately: false } } });
      await done(['upgrade', RELEASE, CHART, '--reuse-values', ...untilReady], values);
      expect((await site.read(deploymentSchema, deploymentPath(site.namespace))).metadata.uid).toBe(metadata.uid);
      const images = (await site.managerPods()).flatMap(({ spec }) => spec.containers.map(({ image }) => image));
      expect(images).toEqual([`image-cleaner:${packageJson.version}`, `image-cleaner-scanner:${packageJson.version}`]);
      const { data } = await configMap('eraser-manager-config');
      expect(parse(data['controller_manager_config.yaml'] ?? '')).toMatchObject({
        components: { remover: { image: { tag: packageJson.version } } },
        manager: { scheduling: { beginImmediately: false, repeatInterval: '24h' } },
      });
    });

    test('its lists and exclusions are still there', async () => {
      expect(await uidOf('crd', 'imagelists.eraser.sh')).toBe(definition);
      expect(await uidOf('imagelist', 'imagelist')).toBe(list);
      expect(await site.list()).toMatchObject({ spec: { images: [library('old:1')] } });
      expect((await configMap('eraser-exclusion')).data).toEqual({ 'mine.json': '{"excluded":["kept"]}' });
      expect((await configMap('eraser-system-exclusion')).data).toEqual({ 'excluded.json': '{"excluded":["protected"]}' });
    });

    test('it works: a changed list runs, and what was excluded stays', async () => {
      await site.applyList(['*']);
      await site.untilListIsDone();
      expect(await node.tags()).toEqual([library('kept:1'), library('protected:1')]);
    });

    test('no container of it is left, and the next upgrade changes nothing', async () => {
      const before = await site.read(deploymentSchema, deploymentPath(site.namespace));
      await done(['upgrade', RELEASE, CHART, '--reuse-values', ...untilReady]);
      const after = await site.read(deploymentSchema, deploymentPath(site.namespace));
      expect(after.metadata.generation).toBe(before.metadata.generation);
      expect(JSON.stringify(await site.do(['get', 'pods', '-A', '-o', 'json']))).not.toContain('eraser-dev');
    });
  });
});

function deploymentPath(namespace: string): string {
  return `/apis/apps/v1/namespaces/${namespace}/deployments/eraser-controller-manager`;
}
