import type { FilesystemUsage, ImageStorage, NodeContainer, NodeImage, RuntimeVersion, SandboxImageReferences } from '../api/inventory.ts';
import { ContainerLister } from './container-lister.ts';
import { readContainerdStorage, type SnapshotSizes } from './containerd-storage.ts';
import { readContentCompleteness } from './content-completeness.ts';
import { readImageFilesystem } from './image-filesystem.ts';
import { mapImage } from './map-image.ts';
import type { RuntimeConnection } from './runtime-connection.ts';
import { SandboxImages } from './sandbox-images.ts';

/** A node's container runtime behind its CRI socket. Every method throws a CriError, or the signal's reason when it aborts. */
export class CriRuntime {
  /** As it was at the first contact. */
  readonly probed: RuntimeVersion;
  readonly #connection: RuntimeConnection;
  readonly #containers: ContainerLister;
  readonly #sandboxImages: SandboxImages;
  readonly #isContainerd: boolean;
  readonly #snapshotSizes: SnapshotSizes = new Map();

  constructor(connection: RuntimeConnection, probed: RuntimeVersion) {
    this.probed = probed;
    this.#connection = connection;
    this.#isContainerd = probed.name === 'containerd';
    this.#sandboxImages = new SandboxImages(connection);
    this.#containers = new ContainerLister(connection, this.#isContainerd);
  }

  async version(signal: AbortSignal): Promise<RuntimeVersion> {
    const answer = await this.#connection.call('Version', signal, (options) => this.#connection.runtime.version({}, options));
    return { name: answer.runtimeName, version: answer.runtimeVersion };
  }

  async listImages(signal: AbortSignal): Promise<NodeImage[]> {
    const answer = await this.#connection.call('ListImages', signal, (options) => this.#connection.images.listImages({}, options));
    return answer.images.map(mapImage);
  }

  listContainers(signal: AbortSignal): Promise<NodeContainer[]> {
    return this.#containers.list(signal);
  }

  sandboxImageReferences(signal: AbortSignal): Promise<SandboxImageReferences> {
    return this.#sandboxImages.read(signal);
  }

  async imageStatus(imageId: string, signal: AbortSignal): Promise<NodeImage | null> {
    const answer = await this.#connection.call('ImageStatus', signal, (options) =>
      this.#connection.images.imageStatus({ image: { image: imageId } }, options),
    );
    return answer.image === undefined ? null : mapImage(answer.image);
  }

  async removeImage(imageId: string, signal: AbortSignal): Promise<void> {
    // Never repeated from here: while the runtime was away, the image may have come into use.
    await this.#connection.callOnce('RemoveImage', signal, (options) =>
      this.#connection.images.removeImage({ image: { image: imageId } }, options),
    );
  }

  async imageStorage(imageIds: readonly string[], signal: AbortSignal): Promise<ImageStorage> {
    return this.#isContainerd ? readContainerdStorage(this.#connection, imageIds, { known: this.#snapshotSizes, signal }) : new Map();
  }

  imageFilesystem(signal: AbortSignal): Promise<FilesystemUsage | null> {
    return readImageFilesystem(this.#connection, signal);
  }

  async isContentComplete(imageId: string, signal: AbortSignal): Promise<boolean | null> {
    return this.#isContainerd ? readContentCompleteness(this.#connection, imageId, signal) : null;
  }

  /** Ends the connection. A call afterwards would open it again. */
  close(): void {
    this.#connection.close();
  }
}
