import { afterAll, beforeAll, beforeEach, describe, expect, inject, onTestFailed, test, vi } from 'vitest';
import { stringify } from 'yaml';
import { V1ALPHA1, V1ALPHA2, V1ALPHA3 } from '../fakes/eraser-configs.ts';
import { AUTOMATIC, connectSite, lacksCluster, MANUAL, SOON, type InspectedNode, type Installation } from './site.ts';
import { healthy, library, vulnerable } from './sample-images.ts';

const GONE = library('gone:1');
const LATER = library('excluded-later:1');

describe.skipIf(lacksCluster())('the configuration of a run', () => {
  let site: Installation;
  let nodes: readonly InspectedNode[];

  beforeAll(async () => {
    site = await connectSite();
    nodes = site.nodes;
  });
  afterAll(async () => {
    await site.remove();
    await site.close();
  });
  beforeEach(async () => {
    onTestFailed(async () => void process.stderr.write(await site.logs()));
    await untilPodsAreGone();
  });

  /** Those of the run before have yet to end when its node's results are on record. */
  async function untilPodsAreGone(): Promise<void> {
    await vi.waitFor(async () => expect(await site.workerPods()).toEqual([]), SOON);
  }

  const labelled = (configuration: typeof MANUAL, label: string): object => ({
    ...configuration,
    manager: { ...configuration.manager, additionalPodLabels: { team: label } },
  });
  /** By node, the label of its worker pod, until the run of the list is over. */
  async function labelsUntilDone(): Promise<Map<string, string | undefined>> {
    const seen = new Map<string, string | undefined>();
    const done = site.untilListIsDone().then(() => true);
    while (!(await Promise.race([done, new Promise<false>((resolve) => setTimeout(resolve, 100, false))]))) {
      for (const { metadata, spec } of await site.workerPods()) {
        if (spec.nodeName !== undefined) seen.set(spec.nodeName, metadata.labels['team']);
      }
    }
    return seen;
  }

  test('changed meanwhile, as are exclusions: the run keeps what it began with, the next one does not', async () => {
    for (const node of nodes) await node.import([vulnerable(GONE), vulnerable(LATER)]);
    await site.reinstall(labelled(MANUAL, 'before'), { managerArgs: ['--max-parallel=1'] });
    await site.applyList([GONE, LATER]);
    await vi.waitFor(async () => expect(await site.workerPods()).not.toEqual([]), { ...SOON, interval: 100 });
    await site.configure(labelled(MANUAL, 'after'));
    await site.exclude('later', { 'images.json': ['excluded-later'] });
    expect(new Set((await labelsUntilDone()).values())).toEqual(new Set(['before']));
    for (const node of nodes) expect(await node.tags(), node.name).toEqual([]);

    for (const node of nodes) await node.import([vulnerable(LATER)]);
    await untilPodsAreGone();
    await site.applyList([LATER]);
    expect(new Set((await labelsUntilDone()).values())).toEqual(new Set(['after']));
    for (const node of nodes) expect(await node.tags(), node.name).toEqual([LATER]);
  });

  test('pull secrets, labels, priority class and volumes are those of every worker pod', async () => {
    await site.do(['apply', '-f', '-'], {
      apiVersion: 'scheduling.k8s.io/v1',
      kind: 'PriorityClass',
      metadata: { name: 'of-the-users' },
      value: 10,
    });
    const manager = {
      ...AUTOMATIC.manager,
      pullSecrets: ['registry-a', 'registry-b'],
      additionalPodLabels: { team: 'platform' },
      priorityClassName: 'of-the-users',
    };
    const volumes = [{ name: 'certificates', hostPath: { path: '/etc', type: 'Directory' } }];
    const scanner = { enabled: true, volumes };
    const installed = site.reinstall({ ...AUTOMATIC, manager, components: { ...AUTOMATIC.components, scanner } });
    const pods = await vi.waitFor(
      async () => {
        const found = await site.workerPods();
        expect(found).toHaveLength(3);
        return found;
      },
      { ...SOON, interval: 100 },
    );
    for (const { metadata, spec } of pods) {
      expect(metadata.labels).toMatchObject({ team: 'platform' });
      expect(spec['priorityClassName']).toBe('of-the-users');
      expect(spec['imagePullSecrets']).toEqual([{ name: 'registry-a' }, { name: 'registry-b' }]);
      expect(spec['volumes']).toContainEqual({ name: 'certificates', hostPath: { path: '/etc', type: 'Directory' } });
      const mounts = spec.containers.find(({ name }) => name === 'trivy-scanner')?.['volumeMounts'];
      expect(mounts).toContainEqual({ name: 'certificates', mountPath: '/etc', readOnly: true });
    }
    await installed;
    expect((await site.untilJobsEnd())[0]?.status).toMatchObject({ phase: 'Completed', succeeded: 3 });
    await site.do(['delete', 'priorityclass', 'of-the-users']);
  });

  for (const eraser of [V1ALPHA1, V1ALPHA2, V1ALPHA3]) {
    test(`as Eraser comes with it (${eraser.apiVersion}) works unchanged, and no container of Eraser's runs`, async () => {
      const [node] = nodes;
      await node?.import([vulnerable(library('vulnerable:1')), vulnerable(library('of-a-list:1')), healthy(library('healthy:1'))]);
      await site.do(['delete', 'configmap', '-n', site.namespace, '--ignore-not-found', 'mine']);
      const images = new Set<string>();
      const over = new AbortController();
      const installed = site.reinstall(stringify(eraser));
      const watching = (async () => {
        while (!over.signal.aborted) {
          for (const { spec } of await site.workerPods()) for (const { image } of spec.containers) images.add(image);
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
      })();
      await installed;
      await vi.waitFor(async () => expect(await node?.tags()).not.toContain(library('vulnerable:1')), SOON);
      await site.exclude('mine', { 'excluded.json': [library('healthy:1')] });
      await site.applyList([library('of-a-list:1'), library('healthy:1')]);
      await site.untilListIsDone();
      over.abort();
      await watching;
      expect(await node?.tags()).toContain(library('healthy:1'));
      expect(await node?.tags()).not.toContain(library('of-a-list:1'));
      const { image, scannerImage } = inject('prepared');
      expect([...images].sort()).toEqual([image, scannerImage].sort());
    });
  }
});
