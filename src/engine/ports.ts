import type { RemoveDecision } from '../api/decision.ts';
import type { FilesystemUsage, ImageStorage, NodeContainer, NodeImage, RuntimeVersion, SandboxImageReferences } from '../api/inventory.ts';

import type { ImageAnalysis, ReadAttempt, ScanAttempt, ScannerInfo, ScanReport } from '../api/scan-report.ts';
import type { ImageHistories } from '../core/image-age.ts';
import type { Removal } from './removal.ts';

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
  /**
   * Which scanner with which database a scan would be made by now; brings the database up to date where that is due. Costs next to nothing
   * when nothing has changed since the last time, so it proves less than a scan. Rejects with a `ScannerFault` when the scanner cannot work
   * at all: no binary, no database, server down.
   */
  probe(signal: AbortSignal): Promise<ScannerInfo>;
  /**
   * Tries to scan one image, once. What is wrong with the image or with this one attempt is a result; a fault of the scanner itself is
   * thrown (`ScannerFault`), and so is an abort of the signal, with the signal's reason.
   */
  scan(target: ScanTarget, signal: AbortSignal): Promise<ScanAttempt>;
  /**
   * Judges images by what was read out of them before, against the database of now. One report per analysis, in their order; null for one
   * that the scanner cannot use. Rejects like `scan`.
   */
  evaluate(analyses: readonly ImageAnalysis[], signal: AbortSignal): Promise<(ScanReport | null)[]>;
  /** Ends whatever the scanner has running. */
  close(): Promise<void>;
}

/** The part of a scanner that reads images, for somebody else to judge. */
export interface ImageReader {
  /** As of a scanner. */
  readonly unsupportedBecause: string | null;
  /** Rejects with a `ScannerFault` when it cannot work at all. */
  probe(signal: AbortSignal): Promise<Pick<ScannerInfo, 'name' | 'version'>>;
  /** Tries to read one image, once. Rejects as `scan` of a scanner. */
  read(target: ScanTarget, signal: AbortSignal): Promise<ReadAttempt>;
  close(): Promise<void>;
}

/** What is remembered of scans, so that an image is read once and judged once per database. */
export interface ScanRecords {
  /** The reports on these images that just this scanner made with just this database. */
  readReports(imageIds: readonly string[], scanner: ScannerInfo): Promise<ReadonlyMap<string, ScanReport>>;
  /** What this version of the scanner read out of these images. */
  readAnalyses(imageIds: readonly string[], scanner: ScannerInfo): Promise<ReadonlyMap<string, ImageAnalysis>>;
  /** Never rejects for want of space: what cannot be kept is scanned again. */
  keep(report: ScanReport, analysis: ImageAnalysis | null): Promise<void>;
  /** The same for reports on analyses that are kept already. */
  keepReports(reports: readonly ScanReport[]): Promise<void>;
}

/** Keeps what becomes of each removal, as it happens, so that a run that is killed leaves no doubt. */
export interface RemovalJournal {
  /** Before the guards of this image are asked: when it resolves, it is on record that the image's turn has come. */
  removalBegan(decision: RemoveDecision): Promise<void>;
  removalEnded(removal: Removal): Promise<void>;
}

/** What is remembered of a node's images from one run to the next. */
export interface ImageMemory {
  /** Takes note of what is on the node now; gives what is known of these images, this time included. */
  observe(seen: { readonly images: readonly NodeImage[]; readonly inUse: ReadonlySet<string> }): Promise<ImageHistories>;
}
