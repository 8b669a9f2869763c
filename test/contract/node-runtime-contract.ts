import { afterAll, beforeAll, expect, test } from 'vitest';
import type { NodeRuntime } from '../../src/engine/ports.ts';

/** A runtime with what the contract looks at: an image in use by one running container, one that nothing uses, sharing a layer. */
export interface PopulatedRuntime {
  readonly runtime: NodeRuntime;
  readonly usedImageId: string;
  readonly usedImageTag: string;
  readonly unusedImageId: string;
  readonly close: () => Promise<void>;
}

const ABSENT = `sha256:${'0'.repeat(64)}`;

/** What the engine counts on, of the real runtime and of the double that its own tests use. */
export function nodeRuntimeContract(populate: () => Promise<PopulatedRuntime>): void {
  let populated: PopulatedRuntime;
  let runtime: NodeRuntime;
  const { signal } = new AbortController();
  const listedIds = async (): Promise<string[]> => (await runtime.listImages(signal)).map(({ id }) => id);

  beforeAll(async () => {
    populated = await populate();
    ({ runtime } = populated);
  });
  afterAll(() => populated.close());

  test('lists the images, and tells of each what the list tells', async () => {
    const images = await runtime.listImages(signal);
    expect(images.map(({ id }) => id)).toEqual(expect.arrayContaining([populated.usedImageId, populated.unusedImageId]));
    for (const image of images) expect(await runtime.imageStatus(image.id, signal)).toEqual(image);
  });

  test('names the image of a container by its id or one of its names', async () => {
    const [container] = await runtime.listContainers(signal);
    expect(container?.state).toBe('running');
    expect([populated.usedImageId, populated.usedImageTag]).toEqual(expect.arrayContaining([container?.imageReferences[0] ?? '']));
  });

  test('has no status of an absent image', async () => {
    expect(await runtime.imageStatus(ABSENT, signal)).toBeNull();
  });

  test('tells what the images share, and nothing of an absent one', async () => {
    const storage = await runtime.imageStorage([populated.usedImageId, populated.unusedImageId, ABSENT], signal);
    const keys = (id: string): string[] => (storage.get(id) ?? []).map(({ key }) => key);
    const shared = keys(populated.usedImageId).filter((key) => keys(populated.unusedImageId).includes(key));
    expect(shared.length).toBeGreaterThan(0);
    expect(keys(populated.unusedImageId).length).toBeGreaterThan(shared.length);
    expect(storage.has(ABSENT)).toBe(false);
  });

  test('knows whether the content is complete', async () => {
    expect(await runtime.isContentComplete(populated.unusedImageId, signal)).toBe(true);
  });

  test('measures the filesystem', async () => {
    const filesystem = await runtime.imageFilesystem(signal);
    expect(filesystem?.usedBytes).toBeGreaterThan(0);
    expect(filesystem?.capacityBytes).toBeGreaterThanOrEqual(filesystem?.usedBytes ?? 0);
  });

  test('rejects when the signal is aborted', async () => {
    const aborted = AbortSignal.abort(new Error('stopped'));
    await expect(runtime.listImages(aborted)).rejects.toThrow('stopped');
    await expect(runtime.removeImage(populated.unusedImageId, aborted)).rejects.toThrow('stopped');
    expect(await listedIds()).toContain(populated.unusedImageId);
  });

  test('removes an image, an absent one too, and one in use without complaint', async () => {
    await runtime.removeImage(ABSENT, signal);
    await runtime.removeImage(populated.unusedImageId, signal);
    expect(await listedIds()).not.toContain(populated.unusedImageId);
    await runtime.removeImage(populated.usedImageId, signal);
    expect(await listedIds()).not.toContain(populated.usedImageId);
    expect(await runtime.imageStatus(populated.usedImageId, signal)).toBeNull();
  });
}
