import type { ExclusionList } from '../../api/exclusion-list.ts';
import type { NamedImage } from '../names.ts';
import { compileExclusions, type ExclusionMatch } from './exclusions.ts';

/**
 * The entry by which Eraser keeps an image: one that equals its id, a tag of it or a digest; one that ends in `/*` by all before its first `*`;
 * one that ends in `:*` by all before its first `:`, which of `host:5000/app:*` is the host alone. Null: Eraser does not keep it.
 */
export function matchAsEraser(lists: readonly ExclusionList[], { id, repoTags, repoDigests }: NamedImage): ExclusionMatch | null {
  const digests = repoDigests.map((name) => name.slice(name.lastIndexOf('@') + 1));
  const equal = new Set([id, ...repoTags, ...digests]);
  const begun = [id, ...repoTags];
  for (const { name: list, entries } of lists) {
    for (const entry of entries) {
      const beginning = beginningOf(entry);
      if (equal.has(entry) || (beginning !== null && begun.some((name) => name.startsWith(beginning)))) return { list, entry };
    }
  }
  return null;
}

function beginningOf(entry: string): string | null {
  if (entry.endsWith('/*')) return entry.slice(0, entry.indexOf('*'));
  return entry.endsWith(':*') ? entry.slice(0, entry.indexOf(':')) : null;
}

/** An image that Eraser keeps and Image Cleaner does not, and the entry by which Eraser does. */
export interface LostExclusion<Image extends NamedImage> {
  readonly image: Image;
  readonly match: ExclusionMatch;
}

/** Of these images, in their order. Throws for lists that cannot be compiled: nothing is removed while there are such. */
export function findLostExclusions<Image extends NamedImage>(
  lists: readonly ExclusionList[],
  images: readonly Image[],
): LostExclusion<Image>[] {
  const compiled = compileExclusions(lists);
  if (!compiled.ok) throw new Error(`exclusions that do not compile: ${compiled.errors.map(({ entry }) => entry).join(', ')}`);
  return images.flatMap((image) => {
    const match = compiled.exclusions.match(image) === null ? matchAsEraser(lists, image) : null;
    return match === null ? [] : [{ image, match }];
  });
}
