import type { KeepReason } from '../api/decision.ts';
import type { NodeImage, SandboxImageReferences } from '../api/inventory.ts';
import type { ImageIndex } from './image-index.ts';
import { namesOf } from './names.ts';

/** What the runtime names as its sandbox images; `unknown` where it names none. */
export type SandboxImages = { readonly kind: 'known'; readonly ids: ReadonlySet<string> } | { readonly kind: 'unknown' };

export function resolveSandboxImages(index: ImageIndex, references: SandboxImageReferences): SandboxImages {
  if (references === null) return { kind: 'unknown' };
  return { kind: 'known', ids: new Set(references.flatMap((reference) => [...index.resolve(reference)])) };
}

/**
 * Rule 2. `Image.pinned` alone is unreliable: containerd before 1.7 does not set it, and a sandbox image whose configuration has changed
 * loses it while sandboxes still run from it. Without the sandbox image no pod starts on the node, so where it cannot be told, every image
 * that may be one stays: each whose repository ends in `/pause`.
 */
export function pinnedReason(image: NodeImage, sandboxImages: SandboxImages): KeepReason | null {
  if (image.pinned) return { code: 'pinned', by: 'runtime' };
  if (sandboxImages.kind === 'known') return sandboxImages.ids.has(image.id) ? { code: 'pinned', by: 'sandbox-image' } : null;
  const maybe = namesOf(image).repositories.some((repository) => repository.endsWith('/pause'));
  return maybe ? { code: 'pinned', by: 'maybe-sandbox-image' } : null;
}
