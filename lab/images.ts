import { rm } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { Image } from './build-image.ts';
import type { ContainerdHandle } from './containerd-handle.ts';
import type { ArchiveFormat } from './image-archive.ts';
import { writeImageArchive } from './image-archive.ts';
import { LabError } from './lab-error.ts';
import { waitUntil } from './wait-until.ts';

export { buildImage, buildLayer } from './build-image.ts';
export type { FileContent, Files, Image, ImageSpec, Layer, LayerSpec } from './build-image.ts';
export { writeImageArchive } from './image-archive.ts';
export type { ArchiveFormat } from './image-archive.ts';

/** An image as the runtime's own list has it. */
export interface ListedImage {
  readonly id: string;
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
  readonly sizeBytes: number;
  readonly pinned: boolean;
}

/** The runtime's own list, in order of id: for a test that looks from outside. */
export async function listImages(containerd: ContainerdHandle): Promise<ListedImage[]> {
  const { images } = await containerd.cri.images.listImages({});
  return images
    .map(({ id, repoTags, repoDigests, size, pinned }) => ({ id, repoTags, repoDigests, sizeBytes: Number(size), pinned }))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

export async function listImageIds(containerd: ContainerdHandle): Promise<string[]> {
  return (await listImages(containerd)).map((image) => image.id);
}

export interface ImportOptions {
  readonly format?: ArchiveFormat;
  /** false: for images whose layers are no archives. */
  readonly unpack?: boolean;
  /** false: for names that are no references, which containerd takes and its CRI does not list. */
  readonly waitForNames?: boolean;
}

/** Imports the images in one archive, unpacks them, and waits until the CRI lists each with all its names: it learns of them by events. */
export async function importImages(containerd: ContainerdHandle, images: readonly Image[], options: ImportOptions = {}): Promise<void> {
  const nameless = images.find((image) => image.refs.length === 0);
  if (nameless !== undefined) {
    // containerd imports only what has a name.
    throw new LabError({ code: 'bad-image', message: `${nameless.id} has no name: import it with one and take it away with removeName` });
  }
  const archive = join(containerd.directory, `${randomUUID()}.tar`);
  try {
    await writeImageArchive(archive, images, options.format);
    await containerd.ctr(['images', 'import', ...(options.unpack === false ? ['--no-unpack'] : []), archive]);
  } finally {
    await rm(archive, { force: true });
  }
  await waitUntil('the CRI lists the imported images', async () => {
    const listed = new Map((await listImages(containerd)).map((image) => [image.id, image]));
    if (options.waitForNames === false) return images.every(({ id }) => listed.has(id));
    return images.every((image) => image.refs.every((ref) => listed.get(image.id)?.repoTags.includes(ref) === true));
  });
}

/** Gives the image that is called `ref` a further name; when that is another image's, it moves. */
export async function tagImage(containerd: ContainerdHandle, ref: string, name: string): Promise<void> {
  await containerd.ctr(['images', 'tag', '--force', ref, name]);
  await waitUntil(`the CRI lists ${name}`, async () => {
    const images = await listImages(containerd);
    return images.some((image) => [...image.repoTags, ...image.repoDigests].includes(name) && namesOf(image).includes(ref));
  });
}

/** Gives an imported image the name that a pulled one has: `<repository>@<manifest digest>`, which it returns. */
export async function addRepoDigest(containerd: ContainerdHandle, image: Image, repository: string): Promise<string> {
  const name = `${repository}@${image.manifestDigest}`;
  await tagImage(containerd, image.refs[0] ?? image.id, name);
  return name;
}

/** Takes one name away; an image that loses its last one so stays on the node under its id alone, as when its tag is pulled anew. */
export async function removeName(containerd: ContainerdHandle, name: string): Promise<void> {
  await containerd.ctr(['images', 'rm', '--sync', name]);
  await waitUntil(
    `the CRI no longer lists ${name}`,
    async () => !(await listImages(containerd)).some((image) => namesOf(image).includes(name)),
  );
}

/** Takes away the images that the runtime lists, but for those to keep, with all of their names, and waits until it lists them no more. */
export async function removeImages(containerd: ContainerdHandle, isKept: (image: ListedImage) => boolean = () => false): Promise<void> {
  const going = (await listImages(containerd)).filter((image) => !isKept(image));
  if (going.length === 0) return;
  // The ids first: of many, ctr waits for the last one alone to be collected, and an id goes with its last name.
  const refs = [...going.map(({ id }) => id), ...going.flatMap(({ repoTags, repoDigests }) => [...repoTags, ...repoDigests])];
  await containerd.ctr(['images', 'rm', '--sync', ...refs]);
  const ids = new Set(going.map(({ id }) => id));
  await waitUntil('the CRI no longer lists the removed images', async () => !(await listImageIds(containerd)).some((id) => ids.has(id)));
}

/** Asks the runtime to keep the image from garbage collection; false on containerd before 1.7, which knows nothing of it. */
export async function pinImage(containerd: ContainerdHandle, ref: string): Promise<boolean> {
  const [major = 0, minor = 0] = containerd.release.split('.').map(Number);
  if (major < 1 || (major === 1 && minor < 7)) return false;
  await containerd.ctr(['images', 'label', ref, 'io.cri-containerd.pinned=pinned']);
  await waitUntil(`the CRI lists ${ref} as pinned`, async () =>
    (await listImages(containerd)).some((image) => image.pinned && namesOf(image).includes(ref)),
  );
  return true;
}

/** Deletes one layer's compressed content; what is unpacked stays, so that the image runs but can't be read: `discard_unpacked_layers`. */
export async function deleteLayerContent(containerd: ContainerdHandle, digest: string): Promise<void> {
  await containerd.ctr(['content', 'rm', digest]);
}

function namesOf(image: ListedImage): string[] {
  return [image.id, ...image.repoTags, ...image.repoDigests];
}
