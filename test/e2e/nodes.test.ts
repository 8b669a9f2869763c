import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFailed, test, vi } from 'vitest';
import { readNodeFaults } from './read-node-faults.ts';
import { AUTOMATIC, MANUAL, SOON, connectSite, lacksCluster, type InspectedNode, type Installation } from './site.ts';
import { customScanner, library, vulnerable } from './sample-images.ts';

const GONE = library('gone:1');

describe.skipIf(lacksCluster())('the nodes of a run', () => {
  let site: Installation;
  let nodes: readonly InspectedNode[];
  const restore: (readonly string[])[] = [];

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
    for (const node of nodes) await node.import([vulnerable(GONE)]);
  });
  afterEach(async () => {
    for (const args of restore.splice(0)) await site.do(args);
  });

  /** For this test. */
  async function label(node: string, key: string, value: string): Promise<void> {
    await site.do(['label', 'node', node, `${key}=${value}`]);
    restore.push(['label', 'node', node, `${key}-`]);
  }
  /** In name only, for this test: there is no kubelet of Windows here. */
  async function makeWindowsNode(): Promise<void> {
    const metadata = { name: 'windows-1', labels: { 'kubernetes.io/os': 'windows' } };
    await site.do(['create', '-f', '-'], { apiVersion: 'v1', kind: 'Node', metadata });
    restore.push(['delete', 'node', 'windows-1']);
  }

  const withFilter = (type: 'exclude' | 'include', selectors: readonly string[]): object => ({
    ...MANUAL,
    manager: { ...MANUAL.manager, nodeFilter: { type, selectors } },
  });
  /** The nodes that the image went from. */
  async function cleaned(): Promise<string[]> {
    const tags = await Promise.all(nodes.map(async (node) => [node.name, await node.tags()] as const));
    return tags.filter(([, of]) => !of.includes(GONE)).map(([name]) => name);
  }

  test('a filter that excludes, and nodes of Windows, are left out, with the reason', async () => {
    await label('n1', 'pool', 'gpu');
    await makeWindowsNode();
    await site.reinstall(withFilter('exclude', ['pool=gpu']));
    await site.applyList([GONE]);
    await site.untilListIsDone();
    expect(await cleaned()).toEqual(['n0', 'n2']);
    const [job] = await site.jobs();
    expect(job?.status).toMatchObject({ desired: 4, succeeded: 2, skipped: 2, skippedByReason: { filtered: 1, windows: 1 } });
    // Those of earlier runs are there as well.
    const notes = (await site.events()).filter(({ reason }) => reason === 'NodesSkipped').map(({ note }) => note);
    const ofThis = notes.find((note) => note.includes('n1: excluded by the node filter "pool=gpu"'));
    expect(ofThis, notes.join('\n')).toMatch(/windows-1: .*Windows/);
  });

  test('a filter that includes: no other node', async () => {
    await label('n2', 'pool', 'clean');
    await site.reinstall(withFilter('include', ['pool=clean']));
    await site.applyList([GONE]);
    await site.untilListIsDone();
    expect(await cleaned()).toEqual(['n2']);
    expect((await site.jobs())[0]?.status).toMatchObject({ desired: 3, succeeded: 1, skipped: 2, skippedByReason: { filtered: 2 } });
  });

  test('cordoned and tainted ones take part', async () => {
    await site.do(['cordon', 'n1']);
    restore.push(['uncordon', 'n1']);
    await site.do(['taint', 'node', 'n2', 'dedicated=batch:NoSchedule']);
    restore.push(['taint', 'node', 'n2', 'dedicated-']);
    await site.reinstall(MANUAL);
    await site.applyList([GONE]);
    const list = await site.untilListIsDone();
    expect(await cleaned()).toEqual(['n0', 'n1', 'n2']);
    expect(list.status).toMatchObject({ success: 3, failed: 0, skipped: 0 });
  });

  test('a pod that is stuck fails its node in its time, and holds nobody up', async () => {
    // Nobody answers there: the second node, which lacks it, cannot pull it.
    const repo = '127.0.0.1:1/acme/scanner';
    for (const node of [nodes[0], nodes[2]]) await node?.import([await customScanner(`${repo}:1`, GONE)]);
    const scanner = { enabled: true, image: { repo, tag: '1' } };
    const configuration = { ...AUTOMATIC, components: { ...AUTOMATIC.components, scanner } };
    await site.reinstall(configuration, { managerArgs: ['--start-timeout=20s', '--max-parallel=1'] });
    const [job] = await site.untilJobsEnd();
    expect(job?.status).toMatchObject({ phase: 'Failed', succeeded: 2, failed: 1, removedImages: 2 });
    expect(readNodeFaults(job)).toMatch(/n1: its worker pod did not start within 20 seconds: .*(ErrImagePull|ImagePullBackOff)/);
    expect(await cleaned()).toEqual(['n0', 'n2']);
    await vi.waitFor(async () => expect(await site.workerPods()).toEqual([]), SOON);
  });
});
