import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test, vi } from 'vitest';
import { addRepoDigest, tagImage } from '../../lab/images.ts';
import { firstNode, MANUAL, SOON, connectSite, lacksCluster, type InspectedNode, type Installation } from './site.ts';
import { library, runnable, vulnerable } from './sample-images.ts';

const WORKLOADS = 'manual';

describe.skipIf(lacksCluster())('a manual run', () => {
  let site: Installation;
  let node: InspectedNode;

  beforeAll(async () => {
    site = await connectSite();
    node = firstNode(site);
    await node.import([await runnable(library('used:1'))]);
    await site.do(['create', 'namespace', WORKLOADS]);
    await vi.waitFor(() => site.do(['get', 'serviceaccount', '-n', WORKLOADS, 'default']), SOON);
    await site.do(['apply', '-f', '-'], {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'user', namespace: WORKLOADS },
      spec: {
        nodeName: node.name,
        terminationGracePeriodSeconds: 1,
        containers: [{ name: 'main', image: library('used:1'), imagePullPolicy: 'Never' }],
      },
    });
    await site.do(['wait', '-n', WORKLOADS, '--for=condition=Ready', '--timeout=60s', 'pod/user']);
    await site.install(MANUAL);
  }, 300_000);

  afterAll(async () => {
    await site.do(['delete', 'namespace', WORKLOADS, '--wait']);
    await site.remove();
    await site.close();
  });

  beforeEach(() => {
    onTestFailed(async () => void process.stderr.write(await site.logs()));
  });

  async function runList(images: readonly string[]): Promise<Awaited<ReturnType<Installation['untilListIsDone']>>> {
    await site.applyList(images);
    return site.untilListIsDone();
  }

  test('a tag, a digest, an id, the normal form and one of two tags go, and nothing else', async () => {
    const [byTag, byDigest, byId, short, two, rest] = ['tag:1', 'digest:1', 'id:1', 'short:1', 'two:1', 'rest:1'].map((name) =>
      vulnerable(library(name)),
    ) as [...Parameters<InspectedNode['import']>[0]] & Record<0 | 1 | 2 | 3 | 4 | 5, ReturnType<typeof vulnerable>>;
    await node.import([byTag, byDigest, byId, short, two, rest]);
    await addRepoDigest(node.containerd, byDigest, library('digest'));
    await tagImage(node.containerd, library('two:1'), library('two:2'));
    const list = await runList([library('tag:1'), byDigest.manifestDigest, byId.id, 'short:1', library('two:2')]);
    expect(await node.tags()).toEqual([library('rest:1'), library('used:1')]);
    expect(list.status).toMatchObject({ success: 3, failed: 0, skipped: 0, removedImages: 5 });
  });

  test('an image that a container uses stays', async () => {
    const list = await runList([library('used:1')]);
    expect(await node.tags()).toContain(library('used:1'));
    expect(list.status).toMatchObject({ success: 3, failed: 0, removedImages: 0 });
  });

  test('"*" is every image that nothing uses, but for exclusions', async () => {
    await node.import(['one:1', 'two:1', 'kept:1'].map((name) => vulnerable(library(name))));
    await site.exclude('kept', { 'images.json': ['kept'] });
    await runList(['*']);
    expect(await node.tags()).toEqual([library('kept:1'), library('used:1')]);
    await site.do(['delete', 'configmap', '-n', site.namespace, 'kept']);
    await node.containerd.ctr(['images', 'rm', '--sync', library('kept:1')]);
  });

  test('a changed list runs again, an unchanged one does not, nor after a restart; made again it runs', async () => {
    const again = async (): Promise<void> => node.import([vulnerable(library('again:1'))]);
    const isThere = async (): Promise<boolean> => (await node.tags()).includes(library('again:1'));
    await again();
    await runList([library('again:1')]);
    expect(await isThere()).toBe(false);
    const runs = (await site.jobs()).length;

    await again();
    await site.applyList([library('again:1')]);
    await site.do(['delete', 'pods', '-n', site.namespace, '-l', 'control-plane=controller-manager', '--wait']);
    await site.untilReady();
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    expect(await isThere()).toBe(true);
    expect(await site.jobs()).toHaveLength(runs);

    await runList([library('again:1'), library('more:1')]);
    expect(await isThere()).toBe(false);

    await again();
    await site.do(['delete', 'imagelist', 'imagelist']);
    await runList([library('again:1'), library('more:1')]);
    expect(await isThere()).toBe(false);
  });

  test('a list of another name does nothing, and says so', async () => {
    await node.import([vulnerable(library('other-name:1'))]);
    await site.applyList(['*'], 'my-list');
    await vi.waitFor(async () => {
      const { status } = await site.list('my-list');
      expect(status?.conditions?.find(({ type }) => type === 'Stalled')?.message).toContain('imagelist');
    }, SOON);
    expect(await node.tags()).toContain(library('other-name:1'));
    await site.do(['delete', 'imagelist', 'my-list']);
    await node.containerd.ctr(['images', 'rm', '--sync', library('other-name:1')]);
  });

  test('the worker pods are gone when the work is done', async () => {
    await vi.waitFor(async () => expect(await site.workerPods()).toEqual([]), SOON);
  });
});
