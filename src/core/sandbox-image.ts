import type { KeepReason } from '../api/decision.ts';
import type { NodeImage, SandboxImageReferences } from '../api/inventory.ts';
import type { ImageIndex } from './image-index.ts';
import { namesOf } from './names.ts';

/** What the runtime names as its sandbox images. */
export interface SandboxImages {
  readonly ids: ReadonlySet<string>;
  /** False: the runtime names none, or one that is not on the node, so that another image may be it. */
  readonly areKnown: boolean;
}

export function resolveSandboxImages(index: ImageIndex, references: SandboxImageReferences): SandboxImages {
  const resolved = (references ?? []).map((reference) => index.resolve(reference));
  return {
    ids: new Set(resolved.flatMap((ids) => [...ids])),
    areKnown: references !== null && resolved.every((ids) => ids.size > 0),
  };
}

/**
 * Rule 2. `Image.pinned` alone is unreliable: containerd before 1.7 does not set it, and a sandbox image whose configuration has changed
 * loses it while sandboxes still run from it. Without the sandbox image no pod starts on the node, so where it cannot be told, every image
 * that may be one stays: each whose repository ends in `/pause`.
 */
export function pinnedReason(image: NodeImage, sandboxImages: SandboxImages): KeepReason | null {
  if (image.pinned) return { code: 'pinned', by: 'runtime' };
  if (sandboxImages.ids.has(image.id)) return { code: 'pinned', by: 'sandbox-image' };
  if (sandboxImages.areKnown) return null;
  const maybe = namesOf(image).repositories.some((repository) => repository.endsWith('/pause'));
  return maybe ? { code: 'pinned', by: 'maybe-sandbox-image' } : null;
}
