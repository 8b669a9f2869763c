import { buildImage, type Compression, type Image, type Layer } from '../../lab/build-image.ts';
import { collectPart } from './collect-part.ts';
import { compressLayer } from './compress-layer.ts';
import { imageConfig } from './image-config.ts';
import { IMAGES, IMAGE_PARTS, type ImageName, type ImagePart, type PartFiles, type PartInput } from './image-parts.ts';
import { readVersion } from './read-version.ts';

export interface ImageOptions extends PartInput {
  /** What their names begin with: `docker.io/library`, `registry.example/team`. */
  readonly repository: string;
  /** null: the version. */
  readonly tag: string | null;
  /** The commit, where it is to be told. */
  readonly revision: string | null;
  readonly compression: Compression;
  readonly created: Date;
}

export type Images = Readonly<Record<ImageName, Image>>;

/** Both images, for this machine's kind of processor. The same input makes the same images, down to the digests. */
export async function assembleImages(options: ImageOptions): Promise<Images> {
  const version = await readVersion(options.root);
  const parts: [ImagePart, PartFiles][] = [];
  for (const part of IMAGE_PARTS) parts.push([part, await collectPart(part, options)]);
  // At once, each on a processor: the first time it takes a minute or two.
  const layers = new Map<ImagePart, Layer>(
    // Our own program is another one after each change: nobody would ask for the former again.
    await Promise.all(
      parts.map(async ([part, files]) => [part, await compressLayer(files, { ...options, isKept: part !== 'program' })] as const),
    ),
  );
  const image = (name: ImageName): Image =>
    buildImage({
      refs: [`${options.repository}/${name}:${options.tag ?? version}`],
      layers: IMAGES[name].map((part) => layers.get(part)).filter((layer) => layer !== undefined),
      config: imageConfig(name, { version, revision: options.revision }),
      created: options.created,
    });
  return { 'image-cleaner': image('image-cleaner'), 'image-cleaner-scanner': image('image-cleaner-scanner') };
}

/** What a node downloads: layers, configuration and manifest. */
export function compressedBytes({ layers, config, manifest }: Image): number {
  return layers.reduce((sum, { blob }) => sum + blob.length, config.length + manifest.length);
}
