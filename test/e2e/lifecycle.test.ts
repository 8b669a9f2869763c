import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, onTestFinished, test, vi } from 'vitest';
import { watchWorkerPods, type SeenPods } from './watch-worker-pods.ts';
import { MANUAL, SOON, connectSite, lacksCluster, type InspectedNode, type Installation } from './site.ts';
import { library, vulnerable } from './sample-images.ts';

const GONE = library('gone:1');

/** What befalls the manager in the middle of a run; one node after the other, so that a run has a middle. */
describe.skipIf(lacksCluster())('a run whose manager', () => {
  let site: Installation;
  let nodes: readonly InspectedNode[];

  beforeAll(async () => {
    site = await connectSite();
    nodes = site.nodes;
    await site.reinstall(MANUAL, { managerArgs: ['--max-parallel=1'] });
  });
  afterAll(async () => {
    await site.remove();
    await site.close();
  });
  let pods: SeenPods;
  beforeEach(async () => {
    onTestFailed(async () => void process.stderr.write(await site.logs()));
    await site.do(['delete', 'imagelists,imagejobs', '--all', '--wait']);
    await vi.waitFor(async () => expect(await site.workerPods()).toEqual([]), SOON);
    for (const node of nodes) await node.import([vulnerable(GONE), vulnerable(library('stays:1'))]);
    await site.untilReady();
    pods = watchWorkerPods(site);
    onTestFinished(async () => {
      await pods.stop();
    });
  });

  async function expectDoneOnce(): Promise<void> {
    const list = await site.untilListIsDone();
    expect(list.status).toMatchObject({ success: 3, failed: 0, skipped: 0, removedImages: 3 });
    expect(await site.jobs()).toHaveLength(1);
    expect(await pods.stop()).toEqual(nodes.map(({ name }) => name));
    for (const node of nodes) expect(await node.tags(), node.name).toEqual([library('stays:1')]);
  }

  async function killManager(): Promise<void> {
    await site.do(['delete', 'pods', '-n', site.namespace, '-l', 'control-plane=controller-manager', '--force', '--grace-period=0']);
  }

  /** In the words of what an operator sees by then. */
  const phases: readonly (readonly [string, (site: Installation) => Promise<void>])[] = [
    ['the list is made', () => Promise.resolve()],
    ['there is a job', async (at) => expect(await at.jobs()).toHaveLength(1)],
    ['the first worker pod is made', async (at) => expect(await at.workerPods()).not.toEqual([])],
    // Or has run: it takes less than a look.
    [
      'the first worker pod runs',
      async (at) => expect((await at.workerPods()).some(({ status }) => status.phase !== 'Pending')).toBe(true),
    ],
    ['the first node is done', async (at) => expect((await at.workerPods()).map(({ status }) => status.phase)).toContain('Succeeded')],
    ['the last node is at work', async (at) => expect(await at.workerPods()).toHaveLength(3)],
    ['the run is over', async (at) => expect((await at.jobs())[0]?.status?.phase).toBe('Completed')],
  ];
  for (const [moment, isReached] of phases) {
    test(`is killed when ${moment} goes on, with nothing done twice`, async () => {
      await site.applyList([GONE]);
      await vi.waitFor(() => isReached(site), { ...SOON, interval: 20 });
      await killManager();
      await expectDoneOnce();
    });
  }

  test('is taken away with its Deployment goes on when that is back', async () => {
    await site.applyList([GONE]);
    await vi.waitFor(async () => expect(await site.workerPods()).not.toEqual([]), SOON);
    await site.do(['delete', 'deployment', '-n', site.namespace, 'eraser-controller-manager', '--cascade=foreground', '--wait']);
    await site.install(MANUAL, { managerArgs: ['--max-parallel=1'] });
    await expectDoneOnce();
  });

  test('has a second one beside it is done once', async () => {
    await site.do(['scale', '-n', site.namespace, 'deployment/eraser-controller-manager', '--replicas=2']);
    await site.untilReady();
    await site.applyList([GONE]);
    await expectDoneOnce();
  });
});
