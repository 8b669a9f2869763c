import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { startCluster, type Cluster } from '../../lab/cluster.ts';
import { demoDatabase } from '../../lab/demo-images.ts';
import { writeImageArchive } from '../../lab/image-archive.ts';
import { LabError } from '../../lab/lab-error.ts';
import { ensureHelm } from '../../lab/tools.ts';
import { writeTrivyDatabase } from '../../lab/trivy-database.ts';
import { assembleImages, type Images } from '../../scripts/images/assemble-images.ts';
import { ensureBundle } from '../ensure-bundle.ts';
import type { Prepared } from './prepared.ts';

const print = (line: string): unknown => process.stderr.write(`${line}\n`);
const root = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Three nodes that have our images, as made from this source, and a vulnerability database for Trivy's server. On a developer's machine that cannot
 * have them, the tests are skipped with the reason; in CI that is an error.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  let cluster: Cluster | null = null;
  const folder = await mkdtemp(join(tmpdir(), 'image-cleaner-e2e-'));
  const stop = async (): Promise<void> => {
    await cluster?.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await ensureBundle();
    await ensureHelm(print);
    const images = await assembleImages({
      root,
      repository: 'docker.io/library',
      tag: null,
      revision: null,
      compression: 'zstd',
      created: new Date(0),
      onProgress: print,
    });
    cluster = await startCluster({ nodes: 3 }, print);
    const imageArchive = join(folder, 'images.tar');
    await writeImageArchive(imageArchive, Object.values(images));
    // One after the other: each unpacks on a processor.
    for (const { containerd } of cluster.nodes) await containerd.ctr(['images', 'import', imageArchive]);
    // Trivy's server, which is nobody, keeps what it is told beside it.
    await writeTrivyDatabase(folder, demoDatabase());
    await chmod(folder, 0o777);
    const { facts } = cluster;
    const refs = { image: refOf(images, 'image-cleaner'), scannerImage: refOf(images, 'image-cleaner-scanner') };
    project.provide('prepared', { cluster: facts, ...refs, imageArchive, trivyCache: folder } satisfies Prepared);
    project.provide('missing', null);
    return stop;
  } catch (error) {
    await stop();
    if (!(error instanceof LabError) || process.env['CI'] === 'true') throw error;
    const reason = error.hint === undefined ? error.message : `${error.message} ${error.hint}`;
    print(`Skipping tests that need Kubernetes: ${reason}`);
    project.provide('missing', reason);
    return () => Promise.resolve();
  }
}

function refOf(images: Images, name: keyof Images): string {
  const [ref] = images[name].refs;
  if (ref === undefined) throw new Error(`${name} has no name`);
  return ref;
}
