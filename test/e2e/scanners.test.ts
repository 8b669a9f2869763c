import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from 'vitest';
import { ManagerPod } from '../../lab/manager-pod.ts';
import { firstNode, AUTOMATIC, connectSite, lacksCluster, type InspectedNode, type Installation } from './site.ts';
import { readNodeFaults } from './read-node-faults.ts';
import { customScanner, healthy, library, vulnerable } from './sample-images.ts';

const CUSTOM = 'registry.example/acme/scanner:3';

const withScanner = (scanner: object, manager: object = {}): object => ({
  ...AUTOMATIC,
  manager: { ...AUTOMATIC.manager, ...manager },
  components: { ...AUTOMATIC.components, scanner },
});

describe.skipIf(lacksCluster())('the scanner of a run', () => {
  let site: Installation;
  let node: InspectedNode;

  beforeAll(async () => {
    site = await connectSite();
    node = firstNode(site);
  });
  afterAll(async () => {
    await site.remove();
    await site.close();
  });
  beforeEach(async () => {
    onTestFailed(async () => void process.stderr.write(await site.logs()));
    await node.import([vulnerable(library('vulnerable:1')), healthy(library('healthy:1')), healthy(library('rejected:1'))]);
  });

  const tagsOfTest = async (): Promise<string[]> => (await node.tags()).filter((tag) => tag !== CUSTOM);

  test('off: every unused image goes', async () => {
    await site.reinstall(withScanner({ enabled: false }));
    const [job] = await site.untilJobsEnd();
    expect(job?.status).toMatchObject({ phase: 'Completed', succeeded: 3 });
    expect(await tagsOfTest()).toEqual([]);
  });

  test("a custom scanner made for Eraser's template, unchanged: what it rejects goes, and the history says why", async () => {
    for (const each of site.nodes) await each.import([await customScanner(CUSTOM, library('rejected:1'))]);
    await site.reinstall(withScanner({ enabled: true, image: { repo: 'registry.example/acme/scanner', tag: '3' } }));
    const [job] = await site.untilJobsEnd();
    expect(job?.status).toMatchObject({ phase: 'Completed', succeeded: 3 });
    expect(await tagsOfTest()).toEqual([library('healthy:1'), library('vulnerable:1')]);
    const rejected = `SELECT node, removal_state FROM decision JOIN reason ON reason.key = reason_key JOIN node_run ON node_run.run_id = decision.run_id
      WHERE reason.code = 'rejected'`;
    const history = await ManagerPod.find(site);
    expect(await history.readRows(rejected)).toEqual([{ node: node.name, removal_state: 'removed' }]);
  });

  test("Trivy's server away: nothing is removed, and the run says so", async () => {
    // The others have nothing to scan.
    for (const other of site.nodes.filter(({ name }) => name !== node.name)) await other.removeImages();
    const managerArgs = ['--trivy-server=http://127.0.0.1:1', '--run-timeout=25s'];
    await site.reinstall(withScanner({ enabled: true }), { managerArgs });
    const [job] = await site.untilJobsEnd();
    expect(job?.status).toMatchObject({ phase: 'Failed', succeeded: 2, failed: 1, removedImages: 0 });
    expect(await tagsOfTest()).toEqual([library('healthy:1'), library('rejected:1'), library('vulnerable:1')]);
    expect(readNodeFaults(job)).toMatch(/n0: .*25 seconds/);
  });

  test("a wrong path of the runtime's socket: nothing is removed, and the run says so", async () => {
    const runtime = { name: 'containerd', address: 'unix:///run/nowhere/containerd.sock' };
    await site.reinstall(withScanner({ enabled: true }, { runtime }), { managerArgs: ['--start-timeout=8s'] });
    const [job] = await site.untilJobsEnd();
    expect(job?.status).toMatchObject({ phase: 'Failed', failed: 3, removedImages: 0 });
    expect(await tagsOfTest()).toEqual([library('healthy:1'), library('rejected:1'), library('vulnerable:1')]);
  });
});
