import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, onTestFailed, onTestFinished, test, vi } from 'vitest';
import { makeDefinitions } from '../../src/installation/make-definitions.ts';
import { runClusterCli, type ClusterCliResult } from './start-cluster-cli.ts';
import { healthy, library, vulnerable } from './sample-images.ts';
import { connectSite, lacksCluster, MANUAL, SOON, type Installation } from './site.ts';
import { watchWorkerPods } from './watch-worker-pods.ts';

const GONE = library('gone:1');
const STAYS = library('stays:1');
/** The same images by another tag: what a version brings beside them is for the tests of what it changes. */
const NEXT = { image: library('image-cleaner:0.99.0'), scannerImage: library('image-cleaner-scanner:0.99.0') };

type Images = typeof NEXT;

/** One node after the other, so that a run has a middle. */
describe.skipIf(lacksCluster())('in the middle of a run', () => {
  let site: Installation;
  let folder: string;
  let current: Images;

  beforeAll(async () => {
    site = await connectSite();
    folder = await mkdtemp(join(tmpdir(), 'image-cleaner-upgrade-'));
    const { image, scannerImage } = inject('prepared');
    current = { image, scannerImage };
    for (const { containerd } of site.nodes) {
      await containerd.ctr(['images', 'tag', '--force', current.image, NEXT.image]);
      await containerd.ctr(['images', 'tag', '--force', current.scannerImage, NEXT.scannerImage]);
    }
    const config = join(folder, 'config.yaml');
    await writeFile(config, JSON.stringify(MANUAL));
    await runClusterCli(['disable', '--purge', '--yes']);
    const trivy = ['--trivy-cache-host-path', inject('prepared').trivyCache, '--trivy-arg=--skip-db-update'];
    const manager = ['--manager-arg=--lease-duration=8s', '--manager-arg=--max-parallel=1'];
    await succeed(['enable', '--config', config, ...trivy, ...manager, ...imageFlags(current)]);
  });
  afterAll(async () => {
    await site.remove();
    for (const { containerd } of site.nodes) await containerd.ctr(['images', 'rm', '--sync', ...Object.values(NEXT)]);
    await site.close();
    await rm(folder, { recursive: true });
  });
  beforeEach(async () => {
    onTestFailed(async () => void process.stderr.write(await site.logs()));
    await site.do(['delete', 'imagelists,imagejobs', '--all', '--wait']);
    await vi.waitFor(async () => expect(await site.workerPods()).toEqual([]), SOON);
    for (const node of site.nodes) await node.import([vulnerable(GONE), healthy(STAYS)]);
  });

  const imageFlags = ({ image, scannerImage }: Images): string[] => ['--image', image, '--scanner-image', scannerImage];

  async function succeed(args: readonly string[]): Promise<ClusterCliResult> {
    const result = await runClusterCli(args);
    expect(result.code, result.stderr).toBe(0);
    return result;
  }

  /** Does what puts another manager in the place of the one whose run it is, and expects that each node is cleaned once, by one pod. */
  async function duringRun(act: () => Promise<unknown>): Promise<void> {
    const pods = watchWorkerPods(site);
    onTestFinished(async () => {
      await pods.stop();
    });
    const request = `eraser.sh/run-requested=${randomUUID()}`;
    await site.do(['annotate', '-n', site.namespace, 'configmap/eraser-manager-config', '--overwrite', request]);
    await vi.waitFor(async () => expect(await site.workerPods()).not.toEqual([]), { ...SOON, interval: 20 });
    await act();
    const [job] = await site.untilJobsEnd();
    expect(job?.status).toMatchObject({ phase: 'Completed', succeeded: 3, failed: 0, skipped: 0, removedImages: 3 });
    const [manager] = await site.managerPods();
    expect(Date.parse(job?.status?.completionTime ?? '')).toBeGreaterThan(Date.parse(String(manager?.metadata['creationTimestamp'])));
    expect(await pods.stop()).toEqual(site.nodes.map(({ name }) => name));
    for (const node of site.nodes) expect(await node.tags(), node.name).toEqual([STAYS]);
  }

  const managerImages = async (): Promise<(string | undefined)[]> =>
    (await site.managerPods()).flatMap(({ spec }) => spec.containers.map(({ image }) => image));

  test('an upgrade loses nothing and cleans nothing twice', async () => {
    await duringRun(() => succeed(['enable', ...imageFlags(NEXT)]));
    expect(await managerImages()).toEqual([NEXT.image, NEXT.scannerImage]);
  });

  test('a downgrade is asked about first, then loses nothing and cleans nothing twice', async () => {
    const refused = await runClusterCli(['enable', ...imageFlags(current)]);
    expect(refused).toMatchObject({ code: 3, stderr: expect.stringContaining('Installed is 0.99.0, which is newer than') as string });
    expect(refused.stderr).toContain('--yes');
    expect(await managerImages()).toEqual([NEXT.image, NEXT.scannerImage]);
    await duringRun(() => succeed(['enable', '--yes', ...imageFlags(current)]));
    expect(await managerImages()).toEqual([current.image, current.scannerImage]);
  });

  test('the manager comes before definitions of its version: the run goes on by those that are there', async () => {
    await duringRun(async () => {
      for (const definition of olderDefinitions()) await site.do(['replace', '-f', '-'], definition);
      await site.do(['delete', 'pods', '-n', site.namespace, '-l', 'control-plane=controller-manager', '--wait']);
      await site.untilReady();
    });
    expect((await site.jobs())[0]?.status).not.toHaveProperty('reclaimedBytes');
  });

  test('definitions come before the manager of their version', async () => {
    await duringRun(async () => {
      await site.do(['apply', '-f', join(import.meta.dirname, '../../deploy/crds')]);
      await succeed(['enable', ...imageFlags(NEXT)]);
    });
    await succeed(['enable', '--yes', ...imageFlags(current)]);
  });
});

/** Without a field of the status, and without columns: as if they had come with this version. */
function olderDefinitions(): object[] {
  const text = JSON.stringify(makeDefinitions(), (key, value: unknown) =>
    key === 'reclaimedBytes' || key === 'additionalPrinterColumns' ? undefined : value,
  );
  return JSON.parse(text) as object[];
}
