import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, inject, test, vi } from 'vitest';
import { lacksNodeAccess } from '../../lab/real-cluster.ts';
import { AUTOMATIC, CONFIG, makeSite, type ManagerSite, SOON } from './manager-in-test.ts';
import { openTestClusterHistory } from '../fakes/cluster-history-in-test.ts';
import { makePaperNodes, type NodeSpec } from './nodes-in-test.ts';
import { workerReference } from './worker-in-test.ts';

const LIST = ['docker.io/library/nothing:1'];
const EXCLUSION = { 'eraser.sh/exclude.list': 'true' };
const names = (count: number): NodeSpec[] => Array.from({ length: count }, (_, at) => ({ name: `paper-${String(at).padStart(2, '0')}` }));
const onPaper = (): Promise<ManagerSite> => makeSite(inject('kubeconfig'), workerReference('paper'));

const untilPhase = (site: ManagerSite, phase: string): Promise<void> =>
  vi.waitFor(async () => expect((await site.jobs()).map(({ status }) => status?.phase)).toEqual([phase]), SOON);

// An API server without kubelets: the test itself ends the pods.
describe.skipIf(lacksNodeAccess())('the controller on nodes on paper', () => {
  test('has never more pods in flight than it may, and works all nodes off', async () => {
    const site = await onPaper();
    const nodes = await makePaperNodes(inject('kubeconfig'), names(30));
    nodes.endPodsAfter(site.namespace, 300);
    await site.configure(CONFIG);
    site.start(['--max-parallel=4']);
    await site.applyList(LIST);
    await untilPhase(site, 'Completed');
    expect((await site.jobs())[0]?.status).toMatchObject({ desired: 30, succeeded: 30, failed: 0, skipped: 0 });
    expect(site.mostAtOnce()).toBe(4);
    expect([...site.podsEver().values()].map(({ size }) => size)).toEqual(Array<number>(30).fill(1));
  });

  test('leaves out what the filter, the system and the state of a node say, and no cordoned node', async () => {
    const site = await onPaper();
    const nodes = await makePaperNodes(inject('kubeconfig'), [
      { name: 'paper-ok' },
      { name: 'paper-cordoned', cordoned: true },
      { name: 'paper-filtered', labels: { 'eraser.sh/cleanup.filter': '' } },
      { name: 'paper-pool', labels: { pool: 'gpu' } },
      { name: 'paper-unready', ready: false },
      { name: 'paper-windows', labels: { 'kubernetes.io/os': 'windows' } },
      { name: 'paper-virtual', labels: { type: 'virtual-kubelet' } },
      { name: 'paper-odd', runtime: 'lxd://5' },
    ]);
    nodes.endPodsAfter(site.namespace, 100);
    await site.configure({ ...CONFIG, manager: { ...CONFIG.manager, nodeFilter: { type: 'exclude', selectors: ['pool=gpu'] } } });
    site.start();
    await site.applyList(LIST);
    await untilPhase(site, 'Completed');
    const [job] = await site.jobs();
    expect(job?.status).toMatchObject({
      desired: 8,
      succeeded: 2,
      skipped: 6,
      skippedByReason: { filtered: 2, notReady: 1, windows: 1, virtual: 1, unknownRuntime: 1 },
    });
    const bases = [...site.podsEver().keys()].map((name) => name.replace(/-[0-9a-f]{10}$/, '')).sort();
    expect(bases).toEqual(['eraser-paper-cordoned', 'eraser-paper-ok']);
    const skipped = (await site.events()).find(
      ({ reason, about }) => reason === 'NodesSkipped' && about === `ImageJob/${job?.metadata.name ?? ''}`,
    );
    expect(skipped?.note).toContain('paper-unready: not ready: KubeletNotReady: on paper');
    expect(skipped?.note).toContain('paper-pool: excluded by the node filter "pool=gpu"');
  });

  test('a node that goes before its turn is skipped, one that goes with its pod has failed', async () => {
    const site = await onPaper();
    const nodes = await makePaperNodes(inject('kubeconfig'), names(3));
    await site.configure(CONFIG);
    site.start(['--max-parallel=1', '--lost-node-timeout=2s']);
    await site.applyList(LIST);
    await vi.waitFor(async () => expect((await site.pods()).map(({ node }) => node)).toEqual(['paper-00']), SOON);
    await nodes.remove('paper-01');
    await nodes.remove('paper-00');
    await vi.waitFor(() => expect(site.podsEver().size).toBe(2), SOON);
    nodes.endPodsAfter(site.namespace, 100);
    await untilPhase(site, 'Failed');
    const [job] = await site.jobs();
    expect(job?.status).toMatchObject({ desired: 3, succeeded: 1, failed: 1, skipped: 1 });
    expect(job?.status?.conditions?.find(({ type }) => type === 'Failed')?.message).toContain('paper-00: the node is gone');
  });

  test('a list of another name does nothing and says so', async () => {
    const site = await onPaper();
    await makePaperNodes(inject('kubeconfig'), names(1));
    await site.configure(CONFIG);
    site.start();
    await site.applyList(LIST, 'other');
    await vi.waitFor(async () => expect((await site.list('other')).status?.conditions).toHaveLength(2), SOON);
    expect((await site.list('other')).status?.conditions).toEqual([
      expect.objectContaining({ type: 'Ready', status: 'False', reason: 'UnsupportedName' }),
      expect.objectContaining({ type: 'Stalled', status: 'True', reason: 'UnsupportedName' }),
    ]);
    await vi.waitFor(
      async () =>
        expect(await site.events()).toContainEqual(expect.objectContaining({ about: 'ImageList/other', reason: 'UnsupportedName' })),
      SOON,
    );
    expect(await site.jobs()).toEqual([]);
  });

  test('a configuration that cannot be read runs nothing until it can; later, the last good one stays in force', async () => {
    const site = await onPaper();
    const nodes = await makePaperNodes(inject('kubeconfig'), names(1));
    nodes.endPodsAfter(site.namespace, 100);
    const bad = { ...AUTOMATIC, manager: { ...AUTOMATIC.manager, scheduling: { repeatInterval: 'often' } } };
    await site.configure(bad);
    const first = site.start();
    await site.applyList(LIST);
    await vi.waitFor(async () => {
      const { status } = await site.list();
      expect(status?.conditions).toContainEqual(expect.objectContaining({ type: 'Stalled', reason: 'ConfigurationUnreadable' }));
    }, SOON);
    const refusal = expect.stringContaining('manager.scheduling.repeatInterval: "often" is not a duration') as string;
    expect(await site.conditions()).toContainEqual(
      expect.objectContaining({ type: 'ConfigurationAccepted', status: 'False', message: refusal }),
    );
    await vi.waitFor(
      async () =>
        expect(await site.events()).toContainEqual({
          about: 'ConfigMap/eraser-manager-config',
          reason: 'ConfigurationUnreadable',
          note: refusal,
        }),
      SOON,
    );
    expect(await site.jobs()).toEqual([]);
    await site.configure(CONFIG);
    await untilPhase(site, 'Completed');
    await site.configure(bad);
    await vi.waitFor(
      async () =>
        expect(await site.conditions()).toContainEqual(expect.objectContaining({ type: 'ConfigurationAccepted', status: 'False' })),
      SOON,
    );
    await first.stop();
    site.start();
    await site.applyList([...LIST, 'docker.io/library/nothing:2']);
    await vi.waitFor(async () => expect((await site.jobs()).map(({ status }) => status?.phase)).toEqual(['Completed', 'Completed']), SOON);
  });

  test('with an exclusion list that cannot be read nothing is removed until it can', async () => {
    const site = await onPaper();
    const nodes = await makePaperNodes(inject('kubeconfig'), names(1));
    nodes.endPodsAfter(site.namespace, 100);
    await site.configure(AUTOMATIC);
    await site.applyConfigMap('mine', { 'a.json': '{"excluded": ["ghcr.io/acme/*"' }, EXCLUSION);
    site.start();
    await site.applyList(LIST);
    await vi.waitFor(async () => {
      const { status } = await site.list();
      expect(status?.conditions).toContainEqual(expect.objectContaining({ type: 'Stalled', reason: 'ExclusionsUnreadable' }));
    }, SOON);
    const refusal = expect.stringContaining('mine/a.json: is not JSON') as string;
    expect(await site.conditions()).toContainEqual(
      expect.objectContaining({ type: 'ExclusionsAccepted', status: 'False', message: refusal }),
    );
    await vi.waitFor(
      async () => expect(await site.events()).toContainEqual({ about: 'ConfigMap/mine', reason: 'ExclusionsUnreadable', note: refusal }),
      SOON,
    );
    await sleep(2_000);
    expect(await site.jobs()).toEqual([]);
    await site.applyConfigMap('mine', { 'a.json': '{"excluded": ["ghcr.io/acme/*"]}' }, EXCLUSION);
    await vi.waitFor(async () => expect((await site.jobs()).map(({ status }) => status?.phase)).toEqual(['Completed', 'Completed']), SOON);
    const frozen = await site.done([
      'get',
      'configmap',
      '-n',
      site.namespace,
      '-l',
      'eraser.sh/frozen=exclusions',
      '-o',
      'jsonpath={.items[*].data}{.items[*].immutable}',
    ]);
    // Of each run the list as it is, and as Eraser matches it, since none has completed before.
    expect(frozen.match(/ghcr\.io\/acme\/\*/g)).toHaveLength(4);
    expect(frozen).toContain('true true');
    expect(frozen).toContain(workerReference('paper'));
  });

  test('deletes a job that succeeded in its time, and keeps no more than it is to keep', async () => {
    const site = await onPaper();
    const nodes = await makePaperNodes(inject('kubeconfig'), names(1));
    nodes.endPodsAfter(site.namespace, 50);
    await site.configure({
      ...CONFIG,
      manager: { ...CONFIG.manager, imageJob: { cleanup: { delayOnSuccess: '0s', delayOnFailure: '1h' } } },
    });
    site.start(['--job-history-limit=2']);
    await site.applyList(LIST);
    await vi.waitFor(async () => expect((await site.list()).status).toMatchObject({ success: 1, failed: 0 }), SOON);
    await vi.waitFor(async () => expect(await site.jobs()).toEqual([]), SOON);
    await site.configure(CONFIG);
    for (const generation of [2, 3, 4]) {
      await site.applyList([...LIST, `docker.io/library/nothing:${String(generation)}`]);
      await vi.waitFor(async () => expect((await site.list()).status).toMatchObject({ observedGeneration: generation, success: 1 }), SOON);
    }
    await vi.waitFor(
      async () => expect((await site.jobs()).map(({ metadata }) => metadata.name.split('-').at(-1)).sort()).toEqual(['3', '4']),
      SOON,
    );
  });

  test('a job that someone makes by hand is refused', async () => {
    const site = await onPaper();
    await site.configure(CONFIG);
    const controller = site.start();
    await controller.untilLogged('this process leads');
    await site.apply({
      apiVersion: 'eraser.sh/v1',
      kind: 'ImageJob',
      metadata: { name: 'by-hand', labels: { 'eraser.sh/job-owner': 'imagecollector' } },
    });
    await untilPhase(site, 'Failed');
    expect((await site.jobs())[0]?.status?.conditions).toContainEqual(
      expect.objectContaining({ type: 'Failed', status: 'True', reason: 'NotOfThisManager' }),
    );
    expect(site.podsEver().size).toBe(0);
  });

  test('its service account may do nothing else, and that of worker pods nothing at all', async () => {
    const site = await onPaper();
    const mayI = async (account: string, ...args: readonly string[]): Promise<string> =>
      (await site.kubectl(['auth', 'can-i', ...args, `--as=system:serviceaccount:${site.namespace}:${account}`])).stdout.trim();
    const own = ['-n', site.namespace];
    expect(await mayI('eraser-controller-manager', 'create', 'pods', ...own)).toBe('yes');
    expect(await mayI('eraser-controller-manager', 'get', 'namespace/kube-system')).toBe('yes');
    for (const path of ['/openid/v1/jwks', '/.well-known/openid-configuration']) {
      expect(await mayI('eraser-controller-manager', 'get', path), path).toBe('yes');
    }
    for (const args of [
      ['get', '/metrics'],
      ['get', 'secrets', ...own],
      ['get', 'namespace/default'],
      ['list', 'namespaces'],
      ['create', 'pods', '-n', 'default'],
      ['patch', 'nodes'],
      ['create', 'pods', '--subresource=exec', ...own],
      ['list', 'secrets', '-A'],
    ]) {
      expect(await mayI('eraser-controller-manager', ...args), args.join(' ')).toBe('no');
    }
    for (const args of [
      ['list', 'pods', ...own],
      ['get', 'configmaps', ...own],
      ['list', 'nodes'],
    ]) {
      expect(await mayI('eraser-imagejob-pods', ...args), args.join(' ')).toBe('no');
    }
  });

  test('ends when its history is of another cluster, and goes on with it when it is told so', async () => {
    const site = await onPaper();
    await site.configure(CONFIG);
    const { path, history, query } = await openTestClusterHistory({ owner: { cluster: 'another', from: null } });
    await history.close();
    const uid = await site.done(['get', 'namespace', 'kube-system', '-o', 'jsonpath={.metadata.uid}']);
    const refused = site.start([`--history=${path}`]);
    expect(await refused.ended()).toBe(1);
    expect(refused.logs).toContainEqual(
      expect.objectContaining({
        message: 'failed',
        error: expect.stringContaining(`${path} is that of another cluster (another; this one is ${uid},`) as string,
        hint: expect.stringContaining('--history-from-cluster=another') as string,
      }),
    );
    expect(await query('SELECT cluster FROM owner')).toEqual([{ cluster: 'another' }]);
    const taken = site.start([`--history=${path}`, '--history-from-cluster=another']);
    await taken.untilLogged('the coordinator answers');
    expect(await query('SELECT cluster FROM owner')).toEqual([{ cluster: uid }]);
    expect(await taken.stop()).toBe(0);
  });

  test('says how it is, and refuses what it does not know', async () => {
    const site = await onPaper();
    await site.configure(CONFIG);
    const controller = site.start();
    await controller.untilLogged('this process leads');
    const ask = async (path: string, method = 'GET'): Promise<number> =>
      (await fetch(`http://127.0.0.1:${String(controller.healthPort())}${path}`, { method })).status;
    expect([await ask('/healthz'), await ask('/readyz'), await ask('/other'), await ask('/healthz', 'POST')]).toEqual([200, 200, 404, 404]);
    expect(await controller.stop()).toBe(0);
    expect(await site.start(['--max-parallel=none']).ended()).toBe(2);
  });
});
