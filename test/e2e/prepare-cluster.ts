import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startCluster, type Cluster } from '../../lab/cluster.ts';
import { demoDatabase } from '../../lab/demo-images.ts';
import { writeImageArchive } from '../../lab/image-archive.ts';
import type { OnProgress } from '../../lab/tools.ts';
import { writeTrivyDatabase } from '../../lab/trivy-database.ts';
import { assembleImages, type Images } from '../../scripts/images/assemble-images.ts';
import { ensureBundle } from '../ensure-bundle.ts';
import type { Prepared } from './prepared.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface PreparedCluster extends AsyncDisposable {
  readonly cluster: Cluster;
  readonly prepared: Prepared;
}

/** Three nodes that have our images, as made from this source, and a vulnerability database for Trivy's server. */
export async function prepareCluster(print: OnProgress): Promise<PreparedCluster> {
  let cluster: Cluster | null = null;
  const folder = await mkdtemp(join(tmpdir(), 'image-cleaner-e2e-'));
  const stop = async (): Promise<void> => {
    await cluster?.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await ensureBundle();
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
    const refs = { image: refOf(images, 'image-cleaner'), scannerImage: refOf(images, 'image-cleaner-scanner') };
    const prepared = { cluster: cluster.facts, ...refs, imageArchive, trivyCache: folder };
    return { cluster, prepared, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function refOf(images: Images, name: keyof Images): string {
  const [ref] = images[name].refs;
  if (ref === undefined) throw new Error(`${name} has no name`);
  return ref;
}
