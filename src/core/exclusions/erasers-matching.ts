import type { ExclusionList } from '../../api/exclusion-list.ts';
import type { NamedImage } from '../names.ts';
import type { ExclusionMatch } from './exclusion-match.ts';

/**
 * What Eraser keeps by entries that end in `/*`: all that begins with what is before the first `*`; and by those that end in `:*`: all that begins
 * with what is before the first `:`, which of `host:5000/app:*` is the host alone. It looks at tags. All other entries it compares whole, as Image Cleaner
 * does, too.
 */
export class ErasersMatching {
  /** With the first entry for each. */
  readonly #beginnings = new Map<string, ExclusionMatch>();

  add(list: string, entry: string): void {
    const beginning = beginningOf(entry);
    if (beginning !== null && !this.#beginnings.has(beginning)) this.#beginnings.set(beginning, { list, entry });
  }

  /** The first that matches, in the order in which they were added. */
  match({ repoTags }: Pick<NamedImage, 'repoTags'>): ExclusionMatch | null {
    for (const [beginning, match] of this.#beginnings) if (repoTags.some((tag) => tag.startsWith(beginning))) return match;
    return null;
  }
}

function beginningOf(entry: string): string | null {
  if (entry.endsWith('/*')) return entry.slice(0, entry.indexOf('*'));
  return entry.endsWith(':*') ? entry.slice(0, entry.indexOf(':')) : null;
}

/** Tells in a decision that Image Cleaner itself would not keep the image. */
const SUFFIX = ', as Eraser matches it';

/** The entries of each list that Eraser matches otherwise, as it does; lists without any are left out. */
export function asErasers(lists: readonly ExclusionList[]): ExclusionList[] {
  return lists.flatMap(({ name, entries }): ExclusionList[] => {
    const others = entries.filter((entry) => beginningOf(entry) !== null);
    return others.length === 0 ? [] : [{ name: `${name}${SUFFIX}`, entries: others, matching: 'eraser' }];
  });
}

/** The name of the list whose entries kept an image only as Eraser matches them; null: it was kept otherwise. */
export function erasersListOf(name: string): string | null {
  return name.endsWith(SUFFIX) ? name.slice(0, -SUFFIX.length) : null;
}
