import type { FilesystemUsage, ImageStorage, NodeContainer, NodeImage, RuntimeVersion, SandboxImageReferences } from '../api/inventory.ts';
import type { ScanAttempt, ScannerInfo } from '../api/scan-report.ts';

/** The container runtime of one node. Every call rejects when the runtime cannot be reached: an absent answer is never an empty one. */
export interface NodeRuntime {
  version(signal: AbortSignal): Promise<RuntimeVersion>;
  listImages(signal: AbortSignal): Promise<NodeImage[]>;
  /** All containers in every state, with the images that they mount as volumes. */
  listContainers(signal: AbortSignal): Promise<NodeContainer[]>;
  sandboxImageReferences(signal: AbortSignal): Promise<SandboxImageReferences>;
  /** The image as it is now, null when the runtime does not have it. */
  imageStatus(imageId: string, signal: AbortSignal): Promise<NodeImage | null>;
  /**
   * Removes every name of the image. Succeeds when the image is absent already; containerd removes one in use without complaint. Asks the
   * runtime once: a repetition is the caller's, after its guards.
   */
  removeImage(imageId: string, signal: AbortSignal): Promise<void>;
  /** What the images occupy and share. Images that the runtime tells nothing about are absent from the map. */
  imageStorage(imageIds: readonly string[], signal: AbortSignal): Promise<ImageStorage>;
  /** null where the runtime's image filesystem cannot be read from here. */
  imageFilesystem(signal: AbortSignal): Promise<FilesystemUsage | null>;
  /** Whether all of the image's content is in the store; null where the runtime does not tell. */
  isContentComplete(imageId: string, signal: AbortSignal): Promise<boolean | null>;
}

/** An image to scan. */
export interface ScanTarget {
  /** In the runtime's own form; the report must be for it. */
  readonly imageId: string;
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
}

/** A vulnerability scanner. Trivy is one; a second implements the same. */
export interface Scanner {
  /** Why it can scan no image of this runtime at all; null: it can. Then it is not asked anything else. */
  readonly unsupportedBecause: string | null;
  /** Rejects with a `ScannerFault` when the scanner cannot work at all: no binary, no database, server down. */
  probe(signal: AbortSignal): Promise<ScannerInfo>;
  /**
   * Tries to scan one image, once. What is wrong with the image or with this one attempt is a result; a fault of the scanner itself is
   * thrown (`ScannerFault`), and so is an abort of the signal, with the signal's reason.
   */
  scan(target: ScanTarget, signal: AbortSignal): Promise<ScanAttempt>;
}
