import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { lacksNodeAccess } from '../../lab/real-cluster.ts';
import type { ControllerProcess } from './controller-process.ts';
import { AUTOMATIC, CONFIG, makeSite, type ManagerSite, SOON } from './manager-in-test.ts';
import { importOnNodes, workerImage, workerReference } from './worker-in-test.ts';

const LIST = ['docker.io/library/nothing:1'];

const onCluster = (worker: string): Promise<ManagerSite> => makeSite(inject('cluster').kubeconfig, workerReference(worker));

async function untilListIsDone(site: ManagerSite, generation = 1): Promise<void> {
  await vi.waitFor(async () => {
    const { status, metadata } = await site.list();
    expect(metadata.generation).toBe(generation);
    expect(status).toMatchObject({ observedGeneration: generation, timestamp: expect.any(String) as string });
    expect(status?.conditions?.map(({ type }) => type)).toEqual(['Ready']);
  }, SOON);
}

/** By name, how often a pod of it was made. */
const timesMade = (site: ManagerSite): number[] => [...site.podsEver().values()].map((uids) => uids.size);

async function started(site: ManagerSite, args: readonly string[] = []): Promise<ControllerProcess> {
  const controller = site.start(args);
  await controller.untilLogged('this process leads');
  return controller;
}

describe.skipIf(lacksNodeAccess())('the controller on three nodes', () => {
  beforeAll(async () => {
    const { nodes } = inject('cluster');
    await importOnNodes(nodes, [
      await workerImage('ok'),
      await workerImage('slow', { RUN_SECONDS: '2' }),
      await workerImage('fails-on-n1', { FAIL_ON: 'n1' }),
      await workerImage('collector-fails', { FAIL_ON: 'n0 n1 n2', FAIL_PROGRAM: 'collector' }),
    ]);
  });

  test('tells the node that failed and why, and keeps a job that has failed for its time', async () => {
    const site = await onCluster('fails-on-n1');
    const imageJob = { cleanup: { delayOnSuccess: '0s', delayOnFailure: '1h' } };
    await site.configure({ ...CONFIG, manager: { ...CONFIG.manager, imageJob } });
    await started(site);
    await site.applyList(LIST);
    await untilListIsDone(site);
    expect((await site.list()).status).toMatchObject({ success: 2, failed: 1, skipped: 0 });
    const [job] = await site.jobs();
    expect(job?.status).toMatchObject({ phase: 'Failed', succeeded: 2, failed: 1, removedImages: 6 });
    const failed = job?.status?.conditions?.find(({ type }) => type === 'Failed');
    expect(failed).toMatchObject({
      status: 'True',
      message: expect.stringContaining('n1: remover exited with 1: it was told to fail') as string,
    });
    const { completionTime = '', deleteAfter = '' } = job?.status ?? {};
    expect(Date.parse(deleteAfter) - Date.parse(completionTime)).toBe(3_600_000);
    await sleep(2_000);
    expect(await site.jobs()).toHaveLength(1);
  });

  test('a run survives a controller that is killed again and again', async () => {
    const site = await onCluster('slow');
    await site.configure(CONFIG);
    await site.applyList(LIST);
    for (const ms of [700, 900, 1_100, 1_300, 1_700, 2_300]) {
      const controller = site.start(['--max-parallel=1', '--lease-duration=2s']);
      await vi.waitFor(() => expect(controller.logs.map(({ message }) => message)).toContain('this process leads'), SOON);
      await sleep(ms);
      await controller.kill();
    }
    await started(site, ['--max-parallel=1']);
    await untilListIsDone(site);
    expect((await site.list()).status).toMatchObject({ success: 3, failed: 0, removedImages: 6 });
    expect(timesMade(site)).toEqual([1, 1, 1]);
    expect(await site.jobs()).toHaveLength(1);
  }, 240_000);

  test('of two controllers one leads; when it is frozen, the other goes on, and the thawed one gives up', async () => {
    const site = await onCluster('slow');
    await site.configure(CONFIG);
    const leader = await started(site, ['--max-parallel=1']);
    const other = site.start(['--max-parallel=1']);
    await other.untilLogged('started');
    await site.applyList(LIST);
    await leader.untilLogged('worker pod made');
    expect(other.logs.map(({ message }) => message)).not.toContain('this process leads');
    leader.freeze();
    await other.untilLogged('this process leads');
    await other.untilLogged('worker pod made');
    leader.thaw();
    expect(await leader.ended()).toBe(1);
    await untilListIsDone(site);
    expect((await site.list()).status).toMatchObject({ success: 3, failed: 0, removedImages: 6 });
    expect(timesMade(site)).toEqual([1, 1, 1]);
    expect(site.mostAtOnce()).toBe(1);
  });

  test('runs at once and then at every interval, over a restart, with no run beyond', async () => {
    const site = await onCluster('ok');
    await site.configure({
      ...AUTOMATIC,
      manager: { ...AUTOMATIC.manager, scheduling: { repeatInterval: '20s', beginImmediately: true } },
    });
    const first = await started(site);
    await vi.waitFor(async () => expect((await site.jobs()).map(({ status }) => status?.phase)).toEqual(['Completed']), SOON);
    const [job] = await site.jobs();
    expect(job?.metadata.labels).toMatchObject({ 'eraser.sh/job-owner': 'imagecollector' });
    await first.kill();
    await started(site);
    await sleep(4_000);
    expect(await site.jobs()).toHaveLength(1);
    await vi.waitFor(async () => expect(await site.jobs()).toHaveLength(2), SOON);
    const [one = 0, two = 0] = (await site.jobs()).map(({ metadata }) => Date.parse(metadata.creationTimestamp)).sort();
    expect(two - one).toBeGreaterThanOrEqual(19_000);
    expect(two - one).toBeLessThan(25_000);
  });

  test('a manual run waits for each node that an automatic one is on, and for no other', async () => {
    const site = await onCluster('slow');
    await site.configure(AUTOMATIC);
    const controller = await started(site, ['--max-parallel=2']);
    await controller.untilLogged('worker pod made');
    await site.applyList(LIST);
    await untilListIsDone(site);
    await vi.waitFor(async () => expect((await site.jobs()).map(({ status }) => status?.phase)).toEqual(['Completed', 'Completed']), SOON);
    expect(timesMade(site)).toEqual(Array<number>(6).fill(1));
    expect([...site.sharedNodes()]).toEqual([]);
    expect(site.mostAtOnce()).toBe(3);
  });

  test('one container that fails, fails its node', async () => {
    const site = await onCluster('collector-fails');
    await site.configure(AUTOMATIC);
    await started(site);
    await vi.waitFor(async () => expect((await site.jobs()).map(({ status }) => status?.phase)).toEqual(['Failed']), SOON);
    const [job] = await site.jobs();
    expect(job?.status).toMatchObject({ succeeded: 0, failed: 3 });
    expect(job?.status?.conditions?.find(({ type }) => type === 'Failed')?.message).toContain('n2: collector exited with 1');
  });

  test('a pod that someone deletes fails its node, and is not made again', async () => {
    const site = await onCluster('slow');
    await site.configure(CONFIG);
    await started(site, ['--max-parallel=1']);
    await site.applyList(LIST);
    await vi.waitFor(async () => expect((await site.pods()).map(({ phase }) => phase)).toEqual(['Running']), SOON);
    const [pod] = await site.pods();
    await site.done(['delete', 'pod', '-n', site.namespace, pod?.name ?? '', '--force', '--grace-period=0']);
    await untilListIsDone(site);
    expect((await site.list()).status).toMatchObject({ success: 2, failed: 1 });
    expect(timesMade(site)).toEqual([1, 1, 1]);
  });
});
