import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, onTestFailed, test, vi } from 'vitest';
import { buildImage } from '../../lab/images.ts';
import { busyboxLayer, RUN_UNTIL_STOPPED } from '../../lab/sample-images.ts';
import { startCluster, type Cluster, type ClusterNode } from '../../lab/cluster.ts';
import { readNodeFaults } from './read-node-faults.ts';
import { AUTOMATIC, MANUAL, SOON, connectSite, lacksCluster, type Installation } from './site.ts';
import { library, vulnerable } from './sample-images.ts';

const GONE = library('gone:1');
const HANGING = 'registry.example/acme/hanging-scanner:1';

/** What breaks nodes has a cluster of its own: the manager is on the first node, the second one suffers. */
describe.skipIf(lacksCluster())('a node that', () => {
  let cluster: Cluster;
  let site: Installation;
  let victim: ClusterNode;

  beforeAll(async () => {
    cluster = await startCluster({ nodes: 2 });
    site = await connectSite({ cluster: cluster.facts });
    const second = cluster.nodes[1];
    if (second === undefined) throw new Error('not two nodes');
    victim = second;
    for (const { containerd } of cluster.nodes) {
      await containerd.ctr(['images', 'import', inject('prepared').imageArchive]);
    }
    await site.do(['cordon', victim.name]);
    await site.nodes[1]?.import([
      buildImage({ refs: [HANGING], layers: [await busyboxLayer()], config: { entrypoint: RUN_UNTIL_STOPPED } }),
    ]);
  }, 300_000);
  afterAll(async () => {
    await site.close();
    await cluster.stop();
  });
  beforeEach(() => {
    onTestFailed(async () => void process.stderr.write(await site.logs()));
  });

  async function untilReady(status: 'True' | 'Unknown'): Promise<void> {
    const path = 'jsonpath={.status.conditions[?(@.type=="Ready")].status}';
    await vi.waitFor(async () => expect(await site.do(['get', 'node', victim.name, '-o', path])).toBe(status), SOON);
  }

  /** Its kubelet is frozen for that long; its lease is renewed all the same, else it would not be ready after a few seconds. */
  async function withFrozenKubelet<Result>(work: () => Promise<Result>): Promise<Result> {
    const end = new AbortController();
    const renew = async (): Promise<void> => {
      while (!end.signal.aborted) {
        const renewTime = new Date().toISOString().replace('Z', '000Z');
        const spec = JSON.stringify({ spec: { renewTime } });
        await site.do(['patch', 'lease', '-n', 'kube-node-lease', victim.name, '--type=merge', '-p', spec]);
        await sleep(2000, undefined, { signal: end.signal }).catch(() => undefined);
      }
    };
    victim.freezeKubelet();
    try {
      const worked = work().finally(() => {
        end.abort();
      });
      await Promise.all([worked, renew()]);
      return await worked;
    } finally {
      end.abort();
      victim.thawKubelet();
    }
  }

  test('is under disk pressure gets a pod with the remover alone, before all others', async () => {
    const pod = await withFrozenKubelet(async () => {
      // As its kubelet says it of a full disk; a real one would remove images itself, too.
      const conditions = [{ type: 'DiskPressure', status: 'True', reason: 'KubeletHasDiskPressure', message: 'in a test' }];
      const status = JSON.stringify({ status: { conditions } });
      await site.do(['patch', 'node', victim.name, '--subresource=status', '--type=strategic', '-p', status]);
      await site.reinstall(AUTOMATIC);
      return vi.waitFor(async () => {
        const found = (await site.workerPods()).find(({ metadata }) => metadata.name.startsWith(`eraser-${victim.name}-`));
        expect(found).toBeDefined();
        return found;
      }, SOON);
    });
    expect(pod?.spec.containers.map(({ name }) => name)).toEqual(['remover']);
    expect(pod?.spec['priorityClassName']).toBe('system-node-critical');
    const [job] = await site.untilJobsEnd();
    expect(job?.status).toMatchObject({ phase: 'Completed', succeeded: 2 });
  });

  test('is lost in the middle of a run fails, and the run ends', async () => {
    await site.nodes[1]?.import([vulnerable(GONE)]);
    const scanner = { enabled: true, image: { repo: HANGING.replace(/:1$/, ''), tag: '1' } };
    const manager = { ...AUTOMATIC.manager, nodeFilter: { type: 'include', selectors: [`kubernetes.io/hostname=${victim.name}`] } };
    const configuration = { ...AUTOMATIC, manager, components: { ...AUTOMATIC.components, scanner } };
    await site.reinstall(configuration, { managerArgs: ['--lost-node-timeout=3s'] });
    await vi.waitFor(async () => expect((await site.workerPods()).map(({ status }) => status.phase)).toEqual(['Running']), SOON);
    await victim.kill();
    const [job] = await site.untilJobsEnd();
    expect(job?.status).toMatchObject({ phase: 'Failed', succeeded: 0, failed: 1, skipped: 1 });
    expect(readNodeFaults(job)).toMatch(new RegExp(`${victim.name}: its node was lost: not ready`));
  });

  test('is not ready when a run begins is skipped, and is cleaned by the next run when it is back', async () => {
    await untilReady('Unknown');
    await site.reinstall(MANUAL);
    await site.applyList([GONE]);
    const list = await site.untilListIsDone();
    expect(list.status).toMatchObject({ success: 1, failed: 0, skipped: 1 });
    expect((await site.jobs())[0]?.status).toMatchObject({ skippedByReason: { notReady: 1 } });
    await victim.start();
    await untilReady('True');
    await site.applyList([GONE, library('more:1')]);
    expect((await site.untilListIsDone()).status).toMatchObject({ success: 2, failed: 0, skipped: 0 });
    expect(await site.nodes[1]?.tags()).not.toContain(GONE);
  });
});
