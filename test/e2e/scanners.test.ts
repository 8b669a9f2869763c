import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from 'vitest';
import { buildImage, type Image } from '../../lab/images.ts';
import { buildEraserScanner } from '../eraser-scanner/build.ts';
import { AUTOMATIC, Installation, lacksCluster, type NodeInTest } from './installation.ts';
import { healthy, library, vulnerable } from './sample-images.ts';

const CUSTOM = 'registry.example/acme/scanner:3';

const withScanner = (scanner: object, manager: object = {}): object => ({
  ...AUTOMATIC,
  manager: { ...AUTOMATIC.manager, ...manager },
  components: { ...AUTOMATIC.components, scanner },
});

describe.skipIf(lacksCluster())('the scanner of a run', () => {
  let site: Installation;
  let node: NodeInTest;

  beforeAll(async () => {
    site = await Installation.connect();
    const [first] = site.nodes;
    if (first === undefined) throw new Error('no node');
    node = first;
    for (const each of site.nodes) await each.import([await customScanner()]);
  });
  afterAll(async () => {
    for (const each of site.nodes) await each.containerd.ctr(['images', 'rm', '--sync', CUSTOM]);
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

  test("a custom scanner made for Eraser's template, unchanged: what it rejects goes", async () => {
    await site.reinstall(withScanner({ enabled: true, image: { repo: 'registry.example/acme/scanner', tag: '3' } }));
    const [job] = await site.untilJobsEnd();
    expect(job?.status).toMatchObject({ phase: 'Completed', succeeded: 3 });
    expect(await tagsOfTest()).toEqual([library('healthy:1'), library('vulnerable:1')]);
  });

  test("Trivy's server away: nothing is removed, and the run says so", async () => {
    await site.reinstall(withScanner({ enabled: true }), { managerArgs: ['--trivy-server=http://127.0.0.1:1'] });
    const [job] = await site.untilJobsEnd();
    expect(job?.status).toMatchObject({ phase: 'Failed', failed: 3, removedImages: 0 });
    expect(await tagsOfTest()).toEqual([library('healthy:1'), library('rejected:1'), library('vulnerable:1')]);
    expect(job?.status?.conditions?.find(({ type }) => type === 'Failed')?.message).toMatch(/Trivy/);
  });

  test("a wrong path of the runtime's socket: nothing is removed, and the run says so", async () => {
    const runtime = { name: 'containerd', address: 'unix:///run/nowhere/containerd.sock' };
    await site.reinstall(withScanner({ enabled: true }, { runtime }), { managerArgs: ['--start-timeout=8s'] });
    const [job] = await site.untilJobsEnd();
    expect(job?.status).toMatchObject({ phase: 'Failed', failed: 3, removedImages: 0 });
    expect(await tagsOfTest()).toEqual([library('healthy:1'), library('rejected:1'), library('vulnerable:1')]);
  });
});

/** Rejects one image by its name, and nothing else. */
async function customScanner(): Promise<Image> {
  const folder = await mkdtemp(join(tmpdir(), 'image-cleaner-scanner-'));
  try {
    const program = await readFile(await buildEraserScanner(join(folder, 'scanner')));
    return buildImage({
      refs: [CUSTOM],
      layers: [{ files: { scanner: { content: program, mode: 0o755 } } }],
      config: { entrypoint: ['/scanner'], env: [`REJECT=${library('rejected:1')}`] },
    });
  } finally {
    await rm(folder, { recursive: true });
  }
}
