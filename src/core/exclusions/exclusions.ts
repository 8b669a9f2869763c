import type { ExclusionList } from '../../api/exclusion-list.ts';
import { ExclusionIndex } from './exclusion-index.ts';
import { ErasersMatching } from './erasers-matching.ts';
import type { ExclusionMatch } from './exclusion-match.ts';
import { parseExclusion } from './exclusion-pattern.ts';
import { namesOf, type NamedImage } from '../names.ts';

export type { ExclusionMatch };

export interface Exclusions {
  /**
   * The first entry, in order of lists and entries (those that match as for Eraser after all others), that matches any name of the image; null: none does. One match protects the image
   * under all its names, since to remove it is to remove them all. A name that is no valid reference is matched only by an equal text, by
   * the image's id or by `*`.
   */
  match(image: NamedImage): ExclusionMatch | null;
}

export interface ExclusionError {
  readonly list: string;
  readonly entry: string;
  /** To follow the entry: what is wrong in it, and what is allowed instead. */
  readonly message: string;
}

export type CompiledExclusions =
  | { readonly ok: true; readonly exclusions: Exclusions }
  /** All that are wrong, in order. There are no exclusions then: a part of them would protect too little. */
  | { readonly ok: false; readonly errors: readonly ExclusionError[] };

/** Compiles lists of exclusions (`parseExclusion`) to something that decides about an image by a few look-ups. */
export function compileExclusions(lists: readonly ExclusionList[]): CompiledExclusions {
  const index = new ExclusionIndex();
  const errors: ExclusionError[] = [];
  const matches: ExclusionMatch[] = [];
  const erasers = new ErasersMatching();
  for (const { name: list, entries, matching } of lists) {
    for (const entry of entries) {
      if (matching === 'eraser') {
        erasers.add(list, entry);
        continue;
      }
      const parsed = parseExclusion(entry);
      if (parsed.ok) index.add(entry, parsed.pattern, matches.length);
      else errors.push({ list, entry, message: parsed.message });
      matches.push({ list, entry });
    }
  }
  if (errors.length > 0) return { ok: false, errors };
  return { ok: true, exclusions: { match: (image) => matches[index.first(namesOf(image))] ?? erasers.match(image) } };
}
