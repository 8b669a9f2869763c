import type {
  FilesystemUsage,
  ImageStorage,
  NodeContainer,
  NodeImage,
  RuntimeVersion,
  SandboxImageReferences,
  StorageUnit,
} from '../../src/api/inventory.ts';
import type { NodeRuntime } from '../../src/engine/ports.ts';

/** A container runtime in memory, with containerd's manners: it removes an image in use, and a missing one, without complaint. */
export class FakeRuntime implements NodeRuntime {
  readonly images = new Map<string, NodeImage>();
  containers: NodeContainer[] = [];
  sandboxImages: SandboxImageReferences = [];
  readonly storage = new Map<string, readonly StorageUnit[]>();
  readonly incompleteContent = new Set<string>();
  /** Removals of these images are accepted and do nothing. */
  readonly stubborn = new Set<string>();
  /** undefined: a filesystem with the images and nothing else. */
  filesystem: FilesystemUsage | null | undefined = undefined;
  /** Calls in order: `listContainers`, `removeImage sha256:…`. */
  readonly calls: string[] = [];
  /** Runs before each call, which waits for it; a rejection is the call's. */
  before: (call: string) => Promise<void> = () => Promise.resolve();

  constructor(images: readonly NodeImage[] = []) {
    for (const image of images) this.images.set(image.id, image);
  }

  async version(signal: AbortSignal): Promise<RuntimeVersion> {
    await this.#enter('version', signal);
    return { name: 'containerd', version: '2.2.3' };
  }

  async listImages(signal: AbortSignal): Promise<NodeImage[]> {
    await this.#enter('listImages', signal);
    return [...this.images.values()];
  }

  async listContainers(signal: AbortSignal): Promise<NodeContainer[]> {
    await this.#enter('listContainers', signal);
    return [...this.containers];
  }

  async sandboxImageReferences(signal: AbortSignal): Promise<SandboxImageReferences> {
    await this.#enter('sandboxImageReferences', signal);
    return this.sandboxImages;
  }

  async imageStatus(imageId: string, signal: AbortSignal): Promise<NodeImage | null> {
    await this.#enter(`imageStatus ${imageId}`, signal);
    return this.images.get(imageId) ?? null;
  }

  async removeImage(imageId: string, signal: AbortSignal): Promise<void> {
    await this.#enter(`removeImage ${imageId}`, signal);
    if (!this.stubborn.has(imageId)) this.images.delete(imageId);
  }

  async imageStorage(imageIds: readonly string[], signal: AbortSignal): Promise<ImageStorage> {
    await this.#enter('imageStorage', signal);
    return new Map([...this.storage].filter(([id]) => imageIds.includes(id)));
  }

  async imageFilesystem(signal: AbortSignal): Promise<FilesystemUsage | null> {
    await this.#enter('imageFilesystem', signal);
    if (this.filesystem !== undefined) return this.filesystem;
    const usedBytes = [...this.images.values()].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    return { mountpoint: '/var/lib/containerd', usedBytes, availableBytes: 1_000_000 - usedBytes, capacityBytes: 1_000_000 };
  }

  async isContentComplete(imageId: string, signal: AbortSignal): Promise<boolean | null> {
    await this.#enter(`isContentComplete ${imageId}`, signal);
    return !this.incompleteContent.has(imageId);
  }

  async #enter(call: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.calls.push(call);
    await this.before(call);
    signal.throwIfAborted();
  }
}
