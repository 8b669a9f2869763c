import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { startCluster } from '../../lab/cluster.ts';
import { lacksNodeAccess } from '../../lab/real-cluster.ts';
import { CONFIG, makeSite, SOON } from './manager-in-test.ts';
import { importOnNodes, workerImage, workerReference } from './worker-in-test.ts';

describe.skipIf(lacksNodeAccess())('the controller on a cluster that loses a node', () => {
  test('the node fails with its reason, and its pod blocks nobody', async () => {
    const cluster = await startCluster({ nodes: 2 });
    onTestFinished(() => cluster.stop());
    await importOnNodes(cluster.facts.nodes, [await workerImage('long', { RUN_SECONDS: '20' })]);
    const site = await makeSite(cluster.kubeconfig, workerReference('long'));
    await site.configure(CONFIG);
    site.start(['--lost-node-timeout=5s']);
    await site.applyList(['docker.io/library/nothing:1']);
    await vi.waitFor(async () => expect((await site.pods()).map(({ phase }) => phase)).toEqual(['Running', 'Running']), SOON);
    await cluster.nodes[1]?.kill();
    await vi.waitFor(async () => expect((await site.jobs())[0]?.status?.phase).toBe('Failed'), { timeout: 120_000, interval: 500 });
    const [job] = await site.jobs();
    expect(job?.status).toMatchObject({ desired: 2, succeeded: 1, failed: 1 });
    expect(job?.status?.conditions?.find(({ type }) => type === 'Failed')?.message).toMatch(
      /n1: its node was lost: not ready: NodeStatusUnknown/,
    );
  }, 240_000);
});
