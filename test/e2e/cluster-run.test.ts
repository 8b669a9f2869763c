import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test, vi } from 'vitest';
import * as z from 'zod';
import { MANUAL, SOON, connectSite, lacksCluster, type Installation } from './site.ts';
import { healthy, library, vulnerable } from './sample-images.ts';
import { runClusterCli, startClusterCli } from './start-cluster-cli.ts';

const GONE = [library('gone:1'), library('gone:2')];
const STAYS = library('stays:1');
const REQUEST = 'eraser.sh/run-requested';

const endSchema = z.object({
  job: z.string(),
  phase: z.string(),
  nodes: z.object({
    desired: z.number(),
    succeeded: z.number(),
    failed: z.number(),
    skipped: z.number(),
    ended: z.array(z.object({ name: z.string(), result: z.string(), removedImages: z.number(), reclaimedBytes: z.number() })),
  }),
  removedImages: z.number(),
  reclaimedBytes: z.number(),
});

/** One node after the other, so that a run has a middle. */
describe.skipIf(lacksCluster())('image-cleaner cluster run', () => {
  let site: Installation;

  beforeAll(async () => {
    site = await connectSite();
  });
  afterAll(async () => {
    await site.remove();
    await site.close();
  });
  beforeEach(async () => {
    onTestFailed(async () => void process.stderr.write(await site.logs()));
    for (const node of site.nodes) await node.import([...GONE.map(vulnerable), healthy(STAYS)]);
    await site.reinstall(MANUAL, { managerArgs: ['--max-parallel=1'] });
  });

  const countImages = async (): Promise<number> => (await Promise.all(site.nodes.map((node) => node.tags()))).flat().length;

  async function expectCleanNodes(): Promise<void> {
    for (const node of site.nodes) expect(await node.tags(), node.name).toEqual([STAYS]);
  }

  test('cleans all nodes, and ends with the figures that the runtimes show', async () => {
    const before = await countImages();
    const { code, stdout, stderr } = await runClusterCli(['run', '-o', 'json']);
    expect(code, stderr).toBe(0);
    await expectCleanNodes();
    const end = endSchema.parse(JSON.parse(stdout));
    expect(end.removedImages).toBe(before - (await countImages()));
    expect(end.reclaimedBytes).toBeGreaterThan(0);
    expect(end.nodes).toMatchObject({ desired: 3, succeeded: 3, failed: 0, skipped: 0 });
    expect(end.nodes.ended).toEqual(
      site.nodes.map(({ name }) => ({ name, result: 'succeeded', removedImages: 2, reclaimedBytes: expect.any(Number) as number })),
    );
    const jobs = await site.jobs();
    expect(jobs.map(({ metadata, status }) => [metadata.name, status?.phase])).toEqual([[end.job, 'Completed']]);
    for (const { name } of site.nodes) expect(stderr).toContain(`${name}: 2 images removed`);
  });

  test('goes on when Ctrl-C ends the command, and is followed again', async () => {
    const cli = startClusterCli(['run']);
    await cli.seen('at work');
    cli.child.kill('SIGINT');
    const { code, stderr } = await cli.result;
    expect(code).toBe(130);
    expect(stderr).toContain('image-cleaner cluster run --attach');
    const [job] = await site.jobs();
    expect(job?.status?.phase).toBe('Running');
    const again = await runClusterCli(['run', '--attach']);
    expect(again.code, again.stderr).toBe(0);
    expect(again.stdout).toContain(`Completed: ${job?.metadata.name ?? ''}`);
    await expectCleanNodes();
    expect(await site.jobs()).toHaveLength(1);
  });

  test('survives the death of its manager, also before that has seen the request', async () => {
    const cli = startClusterCli(['run', '-o', 'json']);
    await cli.seen('at work');
    await killManager();
    const { code, stdout, stderr } = await cli.result;
    expect(code, stderr).toBe(0);
    expect(endSchema.parse(JSON.parse(stdout))).toMatchObject({ removedImages: 6 });
    await expectCleanNodes();

    for (const node of site.nodes) await node.import(GONE.map(vulnerable));
    await site.do(['scale', '-n', site.namespace, 'deployment/eraser-controller-manager', '--replicas=0']);
    await vi.waitFor(async () => expect(await site.managerPods()).toEqual([]), SOON);
    const refused = await runClusterCli(['run']);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('image-cleaner cluster enable') as string });
    await site.do(['annotate', 'configmap', '-n', site.namespace, 'eraser-manager-config', '--overwrite', `${REQUEST}=by-hand`]);
    await site.do(['scale', '-n', site.namespace, 'deployment/eraser-controller-manager', '--replicas=1']);
    // Between its first look and the end of its run it dies once more.
    await vi.waitFor(async () => expect(await site.jobs()).toHaveLength(2), { ...SOON, interval: 100 });
    await killManager();
    const jobs = await site.untilJobsEnd(2, { timeoutMs: 300_000 });
    expect(jobs.filter(({ metadata }) => metadata.annotations[REQUEST] === 'by-hand')).toHaveLength(1);
    await expectCleanNodes();
  }, 480_000);

  test('is refused when automatic runs are off', async () => {
    await site.configure({ ...MANUAL, components: { collector: { enabled: false } } });
    const { code, stderr } = await runClusterCli(['run']);
    expect(code).toBe(3);
    expect(stderr).toContain('components.collector.enabled');
    expect(await site.jobs()).toEqual([]);
  });

  async function killManager(): Promise<void> {
    await site.do(['delete', 'pods', '-n', site.namespace, '-l', 'control-plane=controller-manager', '--force', '--grace-period=0']);
  }
});
