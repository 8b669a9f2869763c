/** What one node's container runtime holds, as the Container Runtime Interface (CRI v1) tells it. */

export interface NodeImage {
  /** The image id in the runtime's own form: the config digest, `sha256:9c7a…` on containerd, bare hex on CRI-O. */
  readonly id: string;
  /** `docker.io/library/alpine:3.22`; empty for an image without a tag. */
  readonly repoTags: readonly string[];
  /** `docker.io/library/alpine@sha256:…`; empty for an image that was imported rather than pulled. */
  readonly repoDigests: readonly string[];
  /** Bytes as the runtime reports them; on containerd the compressed content, not what the unpacked layers occupy. */
  readonly sizeBytes: number;
  /** The runtime asks to exempt the image from garbage collection (CRI 1.28 and later; false where it cannot be told). */
  readonly pinned: boolean;
}

export type ContainerState = 'created' | 'running' | 'exited' | 'unknown';

export interface NodeContainer {
  readonly id: string;
  readonly name: string;
  readonly state: ContainerState;
  readonly podNamespace: string;
  readonly podName: string;
  /** Every way in which the runtime names the container's image: spec image, user-specified image, image ref, image id. */
  readonly imageReferences: readonly string[];
  /** The images that the container mounts as volumes, by whatever reference they were mounted. */
  readonly volumeImageReferences: readonly string[];
}

/** The sandbox (pause) images that the runtime names; null where it names none, so that it cannot be told. */
export type SandboxImageReferences = readonly string[] | null;

export interface RuntimeVersion {
  /** `containerd`, `cri-o`. */
  readonly name: string;
  readonly version: string;
}

export interface NodeInventory {
  readonly runtime: RuntimeVersion;
  readonly images: readonly NodeImage[];
  readonly containers: readonly NodeContainer[];
  readonly sandboxImageReferences: SandboxImageReferences;
}

/** A piece of disk that images share: an unpacked layer (snapshot) or a compressed one (blob). */
export interface StorageUnit {
  /** Equal for two images exactly when they share the piece: `snapshot:sha256:…` or `blob:sha256:…`. */
  readonly key: string;
  readonly bytes: number;
}

/** The storage units of each image, by image id. An image without an entry counts with its own `sizeBytes`, shared with none. */
export type ImageStorage = ReadonlyMap<string, readonly StorageUnit[]>;

/** The filesystem that holds the images. */
export interface FilesystemUsage {
  readonly mountpoint: string;
  readonly usedBytes: number;
  readonly availableBytes: number;
  readonly capacityBytes: number;
}
