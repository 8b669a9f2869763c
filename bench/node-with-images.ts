import { randomBytes } from 'node:crypto';
import { rm, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildImage, type Image } from '../lab/build-image.ts';
import { startContainerd, type PrivateContainerd } from '../lab/containerd.ts';
import { importImages, listImages } from '../lab/images.ts';
import { alpineFiles, debianFiles, npmFiles } from '../lab/sample-packages.ts';
import { ensureTrivy } from '../lab/tools.ts';
import { declareTrivyDatabase, writeTrivyDatabase, type DeclaredVulnerability } from '../lab/trivy-database.ts';

/** A private containerd, Trivy with a database for what is in the images, and a folder for all else. */
export interface BenchNode extends AsyncDisposable {
  readonly containerd: PrivateContainerd;
  readonly images: readonly Image[];
  readonly trivy: string;
  /** Trivy's `--cache-dir`. */
  readonly cacheDir: string;
  readonly directory: string;
  /** Brings the images (back) to the runtime. */
  importAll(): Promise<void>;
  /** The names of those that the runtime has. */
  listed(): Promise<readonly string[]>;
  /** A database that is new to a scanner, with the same vulnerabilities. */
  renewDatabase(): Promise<void>;
}

export async function startBenchNode(imageCount: number, say: (line: string) => void): Promise<BenchNode> {
  const trivy = await ensureTrivy(say);
  if (trivy.kind === 'missing') throw new Error(`The benchmarks need Trivy: ${trivy.reason}`);
  const containerd = await startContainerd({ version: 'debian', onProgress: say });
  const directory = await mkdtemp(join(tmpdir(), 'image-cleaner-bench-'));
  const cacheDir = join(directory, 'trivy');
  const images = Array.from({ length: imageCount }, (_, at) => makeImage(at));
  let databaseTime = Date.UTC(2026, 0, 1);
  const node: BenchNode = {
    containerd,
    images,
    trivy: trivy.path,
    cacheDir,
    directory,
    importAll: () => importImages(containerd, images),
    listed: async () =>
      (await listImages(containerd)).flatMap(({ repoTags }) => repoTags.filter((tag) => tag.startsWith(BENCH_REPOSITORIES))),
    renewDatabase: () => writeTrivyDatabase(cacheDir, declareTrivyDatabase(VULNERABILITIES, new Date((databaseTime += 86_400_000)))),
    [Symbol.asyncDispose]: async () => {
      await containerd.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
  await node.renewDatabase();
  return node;
}

/** How the names of the images begin, and no others. */
export const BENCH_REPOSITORIES = 'docker.io/bench/app-';
const PACKAGES = 50;
/** Of each image, beside its package database. */
const CONTENT_BYTES = 64 * 1024;

/** Fifty packages and some content of its own, in a layer that is shared with none: every fourth a Debian, every fourth with npm packages. */
function makeImage(at: number): Image {
  const packages = Array.from({ length: PACKAGES }, (_, number) => ({
    name: `package-${String(number)}`,
    version: `1.${String(at)}.0-r0`,
  }));
  const files = at % 4 === 0 ? debianFiles('12.5', packages) : alpineFiles('3.22.0', packages);
  const libraries = at % 4 === 1 ? npmFiles(packages.map(({ name }) => ({ name, version: `1.${String(at)}.0` }))) : {};
  return buildImage({
    refs: [`${BENCH_REPOSITORIES}${String(at)}:1.0`],
    layers: [{ files: { ...files, ...libraries, 'usr/bin/app': randomBytes(CONTENT_BYTES) } }],
  });
}

/** Every fifth package is vulnerable. */
const VULNERABILITIES: readonly DeclaredVulnerability[] = Array.from({ length: PACKAGES }, (_, at) => at)
  .filter((at) => at % 5 === 0)
  .flatMap((at): DeclaredVulnerability[] => {
    const declared = { packageName: `package-${String(at)}`, severity: 'HIGH' } as const;
    return [
      { ...declared, ecosystem: 'alpine', release: '3.22', id: `CVE-2026-1${String(at).padStart(4, '0')}`, fixedVersion: '9.0.0-r0' },
      { ...declared, ecosystem: 'debian', release: '12', id: `CVE-2026-2${String(at).padStart(4, '0')}`, fixedVersion: '9.0.0-1' },
      { ...declared, ecosystem: 'npm', id: `CVE-2026-3${String(at).padStart(4, '0')}`, fixedVersion: '9.0.0' },
    ];
  });
