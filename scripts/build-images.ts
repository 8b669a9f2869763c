/* eslint-disable no-console -- a script talks to its terminal */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { writeImageArchive } from '../lab/image-archive.ts';
import { assembleImages, compressedBytes, type Images } from './images/assemble-images.ts';
import { collectPart } from './images/collect-part.ts';
import { IMAGE_PARTS, type ImagePart } from './images/image-parts.ts';
import { writeTree } from './images/write-tree.ts';

const USAGE = `npm run images [-- OPTIONS]: makes the container images of dist/, as OCI archives in dist/images/, without a container engine

  --repository NAME    what their names begin with (docker.io/library)
  --tag TAG            the version of package.json unless given
  --revision COMMIT    for the label org.opencontainers.image.revision
  --gzip               layers for Docker before 23 and containerd before 1.5, which know no zstd; a quarter larger
  --tree FOLDER PART…  the files of ${IMAGE_PARTS.join(', ')} as folders, for deploy/image/Dockerfile, instead of images

SOURCE_DATE_EPOCH in the environment is when they were made, in seconds; 0 unless given.`;

const { values: asked, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    repository: { type: 'string', default: 'docker.io/library' },
    tag: { type: 'string' },
    revision: { type: 'string' },
    gzip: { type: 'boolean', default: false },
    tree: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
const root = fileURLToPath(new URL('..', import.meta.url));
const onProgress = (line: string): void => console.error(line);

if (asked.help) {
  console.log(USAGE);
} else if (asked.tree !== undefined) {
  for (const part of positionals.map(parsePart)) {
    const { files } = await collectPart(part, { root, onProgress });
    await writeTree(join(asked.tree, part), files);
  }
} else {
  const images = await assembleImages({
    root,
    repository: asked.repository,
    tag: asked.tag ?? null,
    revision: asked.revision ?? null,
    compression: asked.gzip ? 'gzip' : 'zstd',
    created: parseCreated(process.env['SOURCE_DATE_EPOCH']),
    onProgress,
  });
  await writeArchives(images);
}

function parsePart(name: string): ImagePart {
  const part = IMAGE_PARTS.find((known) => known === name);
  if (part === undefined) throw new Error(`unknown part ${name}: there are ${IMAGE_PARTS.join(', ')}`);
  return part;
}

function parseCreated(seconds = '0'): Date {
  if (!/^\d+$/.test(seconds)) throw new Error(`SOURCE_DATE_EPOCH is to be a number of seconds, not "${seconds}"`);
  return new Date(Number(seconds) * 1000);
}

async function writeArchives(images: Images): Promise<void> {
  const folder = join(root, 'dist/images');
  await mkdir(folder, { recursive: true });
  for (const [name, image] of Object.entries(images)) {
    const archive = join(folder, `${name}.tar`);
    await writeImageArchive(archive, [image]);
    console.log(`${image.refs.join(', ')}  ${image.manifestDigest}\n  ${archive}`);
    for (const { createdBy = '', blob } of image.layers) console.log(`  ${megabytes(blob.length)}  ${createdBy}`);
    console.log(`  ${megabytes(compressedBytes(image))}  in all`);
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1).padStart(6)} MB`;
}
