import type { ProtectingObject } from '../api/decision.ts';
import type { ImageStorage, NodeContainer, NodeImage, NodeInventory, SandboxImageReferences } from '../api/inventory.ts';
import type { ScanPolicy } from '../api/scan-policy.ts';
import type { Verdicts } from '../api/scan-report.ts';
import { compareTexts } from './compare-texts.ts';
import type { DiskThresholds } from './disk-pressure.ts';
import type { Exclusions } from './exclusions/exclusions.ts';
import type { ImageHistories } from './image-age.ts';
import { indexImages, type ImageIndex } from './image-index.ts';
import type { ImageList } from './image-list.ts';
import { findImageUse, type ImageUse, type PendingPod } from './image-use.ts';
import { resolveSandboxImages, type SandboxImages } from './sandbox-image.ts';
import { compilePolicy, type CompiledPolicy } from './verdict.ts';

/** A Kubernetes object and the images that it refers to (rule 5). */
export interface Protection {
  readonly object: ProtectingObject;
  readonly imageReferences: readonly string[];
}

/** All that a plan is made of. What only a cluster or a history knows is empty where there is none. */
export interface PlanInput {
  readonly inventory: NodeInventory;
  readonly pendingPods: readonly PendingPod[];
  readonly exclusions: Exclusions;
  /** A manual run removes what is listed and nothing else; null: an automatic run. */
  readonly imageList: ImageList | null;
  readonly protections: readonly Protection[];
  /** 0: no least age. */
  readonly minAgeMs: number;
  /** null: no greatest age. */
  readonly maxAgeMs: number | null;
  readonly histories: ImageHistories;
  /** null: no disk threshold. */
  readonly diskThresholds: DiskThresholds | null;
  /** null: the scanner is off. */
  readonly scan: { readonly policy: ScanPolicy; readonly results: Verdicts } | null;
  readonly storage: ImageStorage;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** The input, gathered and indexed once, so that each rule is a look-up. */
export interface PlanFacts {
  readonly input: PlanInput;
  /** One entry per image id, in order of id. */
  readonly images: readonly NodeImage[];
  readonly imagesById: ReadonlyMap<string, NodeImage>;
  readonly index: ImageIndex;
  readonly use: ImageUse;
  readonly sandboxImages: SandboxImages;
  readonly protectionsByImage: ReadonlyMap<string, readonly ProtectingObject[]>;
  /** The policy, ready for every report; null: the scanner is off. */
  readonly policy: CompiledPolicy | null;
}

export function gatherFacts(input: PlanInput): PlanFacts {
  const imagesById = mergeById(input.inventory.images);
  const images = inOrderOfId(imagesById);
  const index = indexImages(images);
  return {
    input,
    images,
    imagesById,
    index,
    use: findImageUse(index, input.inventory.containers, input.pendingPods),
    sandboxImages: resolveSandboxImages(index, input.inventory.sandboxImageReferences),
    protectionsByImage: protectedImages(index, input.protections),
    policy: input.scan === null ? null : compilePolicy(input.scan.policy, input.now),
  };
}

/** What the node looks like immediately before one image is removed. */
export interface FreshView {
  readonly image: NodeImage;
  readonly containers: readonly NodeContainer[];
  readonly pendingPods: readonly PendingPod[];
  readonly sandboxImageReferences: SandboxImageReferences;
}

/**
 * The facts of the safety rules as they are now: other containers, and one image with other names or another pin. Images that have come
 * since the plan are not known here, so a container of one counts as unresolved and keeps its repository.
 */
export function refreshFacts(facts: PlanFacts, { image, containers, pendingPods, sandboxImageReferences }: FreshView): PlanFacts {
  const known = facts.imagesById.get(image.id);
  const index = known !== undefined && sameNames(known, image) ? facts.index : indexImages([...facts.images, image]);
  return {
    ...facts,
    index,
    use: findImageUse(index, containers, pendingPods),
    sandboxImages: resolveSandboxImages(index, sandboxImageReferences),
  };
}

function sameNames(a: NodeImage, b: NodeImage): boolean {
  return a.repoTags.join() === b.repoTags.join() && a.repoDigests.join() === b.repoDigests.join();
}

/** A runtime may list an image once per name; a decision is about the image. Pinned once is pinned. */
function mergeById(images: readonly NodeImage[]): ReadonlyMap<string, NodeImage> {
  const byId = new Map<string, NodeImage>();
  for (const image of images) byId.set(image.id, image);
  if (byId.size === images.length) return byId;
  const merged = new Map<string, NodeImage>();
  for (const image of images) {
    const other = merged.get(image.id);
    merged.set(image.id, other === undefined ? image : merge(other, image));
  }
  return merged;
}

function merge(a: NodeImage, b: NodeImage): NodeImage {
  return {
    id: a.id,
    repoTags: union(a.repoTags, b.repoTags),
    repoDigests: union(a.repoDigests, b.repoDigests),
    sizeBytes: Math.max(a.sizeBytes, b.sizeBytes),
    pinned: a.pinned || b.pinned,
  };
}

/** Texts are in order by code unit without a function that compares them, in half the time. */
function inOrderOfId(imagesById: ReadonlyMap<string, NodeImage>): NodeImage[] {
  const ids = [...imagesById.keys()].sort();
  return ids.map((id) => imagesById.get(id)).filter((image) => image !== undefined);
}

function union(a: readonly string[], b: readonly string[]): string[] {
  return [...new Set([...a, ...b])].sort(compareTexts);
}

function protectedImages(index: ImageIndex, protections: readonly Protection[]): ReadonlyMap<string, readonly ProtectingObject[]> {
  const byImage = new Map<string, ProtectingObject[]>();
  for (const { object, imageReferences } of protections) {
    for (const id of new Set(imageReferences.flatMap((reference) => [...index.resolve(reference)]))) {
      const objects = byImage.get(id);
      if (objects === undefined) byImage.set(id, [object]);
      else objects.push(object);
    }
  }
  return byImage;
}
