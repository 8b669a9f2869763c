import { describe, expect, inject, onTestFinished, test, vi } from 'vitest';
import * as z from 'zod';
import { corePath } from '../../lab/api-reader.ts';
import { lacksNodeAccess } from '../../lab/real-cluster.ts';
import { AUTOMATIC, CONFIG, makeSite, type ManagerSite, SOON } from './manager-in-test.ts';
import { makePaperNodes } from './nodes-in-test.ts';
import { workerReference } from './worker-in-test.ts';

const LIST = ['docker.io/library/nothing:1'];
const KEPT = CONFIG.manager.imageJob;
const onPaper = (): Promise<ManagerSite> => makeSite(inject('kubeconfig'), workerReference('paper'));
const configured = (imageJob: object, base: typeof CONFIG = CONFIG): object => ({
  ...base,
  manager: { ...base.manager, imageJob: { ...KEPT, ...imageJob } },
});

const podsSchema = z.object({
  items: z.array(
    z.object({ metadata: z.object({ name: z.string(), creationTimestamp: z.string(), labels: z.record(z.string(), z.string()) }) }),
  ),
});

/** Follows in which wave each pod was made, and when, to the second. */
function watchWaves(site: ManagerSite) {
  const pods = new Map<string, { readonly wave: number; readonly madeAt: number }>();
  const looking = setInterval(() => {
    site.read(podsSchema, corePath(site.namespace, 'pods', 'eraser.sh/job-uid')).then(
      ({ items }) => {
        for (const { metadata } of items)
          pods.set(metadata.name, { wave: Number(metadata.labels['eraser.sh/wave']), madeAt: Date.parse(metadata.creationTimestamp) });
      },
      () => undefined,
    );
  }, 200);
  onTestFinished(() => clearInterval(looking));
  return pods;
}

// An API server without kubelets: the test itself ends the pods.
describe.skipIf(lacksNodeAccess())('a run over nodes on paper', () => {
  test('keeps its waves and the pauses between them, though its controllers are killed', async () => {
    const site = await onPaper();
    const names = ['paper-0', 'paper-1', 'paper-2', 'paper-3', 'paper-4'];
    const nodes = await makePaperNodes(
      inject('kubeconfig'),
      names.map((name) => ({ name })),
    );
    nodes.endPodsAfter(site.namespace, 300);
    await site.configure(configured({ maxParallel: 2, waves: { pause: '6s' } }));
    const seen = watchWaves(site);
    await site.applyList(LIST);
    for (let killed = 1; killed <= 2; killed += 1) {
      const controller = site.start(['--lease-duration=2s']);
      await vi.waitFor(() => expect(seen.size).toBeGreaterThanOrEqual(2 * killed), SOON);
      await controller.kill();
    }
    site.start(['--lease-duration=2s']);
    await vi.waitFor(async () => expect((await site.jobs()).map(({ status }) => status?.phase)).toEqual(['Completed']), SOON);
    expect((await site.jobs())[0]?.status).toMatchObject({ desired: 5, succeeded: 5 });
    expect([...site.podsEver().values()].map(({ size }) => size)).toEqual([1, 1, 1, 1, 1]);
    expect(site.mostAtOnce()).toBeLessThanOrEqual(2);
    const waves = [...Map.groupBy(seen.values(), ({ wave }) => wave)].sort(([a], [b]) => a - b).map(([, pods]) => pods);
    expect(waves.length).toBeGreaterThanOrEqual(3);
    for (const [at, wave] of waves.entries()) {
      expect(wave.length).toBeLessThanOrEqual(2);
      const before = Math.max(...(waves[at - 1] ?? []).map(({ madeAt }) => madeAt), 0);
      expect(Math.min(...wave.map(({ madeAt }) => madeAt)) - before).toBeGreaterThanOrEqual(5_000);
    }
  }, 180_000);

  test('stops when more nodes fail than may, and says so', async () => {
    const site = await onPaper();
    await makePaperNodes(inject('kubeconfig'), [{ name: 'paper-0' }, { name: 'paper-1' }, { name: 'paper-2' }]);
    await site.configure(configured({ maxParallel: 1, maxFailed: 0, successRatio: 0 }));
    // Nobody begins with the pods.
    site.start(['--start-timeout=2s']);
    await site.applyList(LIST);
    await vi.waitFor(async () => expect((await site.jobs()).map(({ status }) => status?.phase)).toEqual(['Failed']), SOON);
    const status = (await site.jobs())[0]?.status;
    expect(status).toMatchObject({ desired: 3, succeeded: 0, failed: 1, skipped: 2, skippedByReason: { notStarted: 2 } });
    const about = { status: 'True', reason: 'TooManyNodesFailed' };
    expect(status?.conditions).toContainEqual(expect.objectContaining({ type: 'FailureTarget', ...about }));
    expect(status?.conditions).toContainEqual(expect.objectContaining({ type: 'Failed', ...about }));
    expect(site.podsEver().size).toBe(1);
    await vi.waitFor(
      async () => expect(await site.events()).toContainEqual(expect.objectContaining({ reason: 'TooManyNodesFailed' })),
      SOON,
    );
  });

  test('is followed by one over the node that was away, once it has come', async () => {
    const site = await onPaper();
    const nodes = await makePaperNodes(inject('kubeconfig'), [{ name: 'paper-0' }, { name: 'paper-1', ready: false }]);
    nodes.endPodsAfter(site.namespace, 100);
    await site.configure(configured({ lateNodes: { within: '50s' } }, AUTOMATIC));
    site.start();
    await vi.waitFor(async () => expect((await site.jobs()).map(({ status }) => status?.phase)).toEqual(['Completed']), SOON);
    expect((await site.jobs())[0]?.status).toMatchObject({ desired: 2, succeeded: 1, skippedByReason: { notReady: 1 } });
    await nodes.setReady('paper-1', true);
    await vi.waitFor(async () => expect((await site.jobs()).map(({ status }) => status?.phase)).toEqual(['Completed', 'Completed']), SOON);
    const jobs = await site.jobs();
    const late = jobs.find(({ metadata }) => metadata.labels['eraser.sh/late-nodes-of'] !== undefined);
    const whole = jobs.find((job) => job !== late);
    expect(late?.metadata.labels).toMatchObject({ 'eraser.sh/late-nodes-of': whole?.metadata.name });
    expect(late?.status).toMatchObject({ desired: 1, succeeded: 1 });
    expect(site.podsEver().size).toBe(2);
  });
});
