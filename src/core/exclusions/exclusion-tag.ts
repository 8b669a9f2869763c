import { compileGlob, hasWildcard, withoutWildcards, type Glob } from './exclusion-glob.ts';
import { isInRange, isVersionRange, parseVersionRange, type VersionRange } from './exclusion-version.ts';
import { effectiveTag } from '../names.ts';
import { findTagFault, type ImageReference } from '../reference.ts';

/** Which images of a repository an exclusion means. */
export type VersionPattern =
  /** Every tag and every digest. */
  | { readonly kind: 'every' }
  | { readonly kind: 'tag'; readonly tag: string }
  | { readonly kind: 'digest'; readonly digest: string }
  | { readonly kind: 'tag-glob'; readonly glob: Glob<string> }
  | { readonly kind: 'tag-range'; readonly range: VersionRange };

export type ParsedTagPattern = { readonly ok: true; readonly pattern: VersionPattern } | { readonly ok: false; readonly message: string };

/** Parses what follows the `:`: a tag, a glob of tags (`1.2*`; `*` is every tag and digest) or a range of versions (`>=1.20 <1.25`). */
export function parseTagPattern(text: string): ParsedTagPattern {
  if (/^\*+$/.test(text)) return { ok: true, pattern: { kind: 'every' } };
  if (isVersionRange(text)) {
    const parsed = parseVersionRange(text);
    return parsed.ok ? { ok: true, pattern: { kind: 'tag-range', range: parsed.range } } : parsed;
  }
  if (findTagFault(withoutWildcards(text)) !== null) {
    return { ok: false, message: findTagFault(text)?.message ?? 'the tag is not valid' };
  }
  return { ok: true, pattern: hasWildcard(text) ? { kind: 'tag-glob', glob: compileGlob(text) } : { kind: 'tag', tag: text } };
}

export function matchesVersion(pattern: VersionPattern, reference: ImageReference): boolean {
  switch (pattern.kind) {
    case 'every':
      return true;
    case 'tag':
      return effectiveTag(reference) === pattern.tag;
    case 'digest':
      return reference.digest === pattern.digest;
    case 'tag-glob': {
      const tag = effectiveTag(reference);
      return tag !== null && pattern.glob(tag);
    }
    case 'tag-range':
      return isInRange(reference, pattern.range);
  }
}
