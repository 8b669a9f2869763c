import { readFile, readdir } from 'node:fs/promises';
import { join, posix, relative } from 'node:path';
import type { FileContent } from '../../lab/build-image.ts';
import { LabError } from '../../lab/lab-error.ts';
import { IMAGE_PATHS, type PartFiles, type PartInput } from './image-parts.ts';
import { nodeOptionsOf } from './node-options.ts';
import { readVersion } from './read-version.ts';

/**
 * All that the build has put into `dist/`, and each bundle as a command under its own name (`image-cleaner`, `worker`, …). A bundle names its
 * Node by `env`, which is not in the images.
 */
export async function programFiles({ root }: PartInput): Promise<PartFiles> {
  const dist = join(root, 'dist');
  const entries = await readdir(dist, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => relative(dist, join(entry.parentPath, entry.name)));
  const built = paths.filter((path) => !path.startsWith('images/')).sort();
  const bundles = built.filter((path) => /^[a-z-]+\.mjs$/.test(path));
  checkComplete(built, bundles);
  const files: Record<string, FileContent> = {};
  for (const path of built) {
    const content = await readFile(join(dist, path));
    const mode = bundles.includes(path) || path === FIFO_HELPER ? 0o755 : 0o644;
    files[`${IMAGE_PATHS.program}/${path}`] = { content: bundles.includes(path) ? withNodeOfImage(path, content) : content, mode };
  }
  for (const path of bundles) {
    const command = `${IMAGE_PATHS.commands}/${path.replace(/\.mjs$/, '')}`;
    files[command] = { link: posix.relative(IMAGE_PATHS.commands, `${IMAGE_PATHS.program}/${path}`) };
  }
  for (const name of ['LICENSE', 'NOTICE']) files[`usr/share/doc/image-cleaner/${name}`] = await readFile(join(root, name));
  return { files, createdBy: `Image Cleaner ${await readVersion(root)}` };
}

/** The worker's own helper, without which it can make no named pipe. */
const FIFO_HELPER = 'mkfifo';

function checkComplete(built: readonly string[], bundles: readonly string[]): void {
  if (!bundles.includes('image-cleaner.mjs')) {
    throw new LabError({ code: 'bad-image', message: 'There is no dist/image-cleaner.mjs.', hint: 'Run the build first: npm run build.' });
  }
  if (bundles.includes('worker.mjs') && !built.includes(FIFO_HELPER)) {
    const hint = 'Install Go, which builds it, and run the build again: npm run build.';
    throw new LabError({ code: 'bad-image', message: `There is no dist/${FIFO_HELPER}, which worker.mjs needs.`, hint });
  }
}

function withNodeOfImage(path: string, bundle: Buffer): string {
  const source = bundle.toString('utf8');
  const ownLine = /^#!.*\n/.exec(source)?.[0] ?? '';
  const interpreter = [`/${IMAGE_PATHS.node}`, ...nodeOptionsOf(path.replace(/\.mjs$/, ''))];
  return `#!${interpreter.join(' ')}\n${source.slice(ownLine.length)}`;
}
