import { effectiveTag, namesOf, type ImageNames, type NamedImage } from './names.ts';
import { DIGEST_FORMS, imageIdKey, isMalformedDigest, parseDigest, parseImageReference, repositoryName } from './reference.ts';

/** The images that a manual run is to remove. */
export interface ImageList {
  /** The first entry that means the image, as it was written; null: none does. */
  match(image: NamedImage): string | null;
  /** The entries that mean none of the images, as they were written and in order; `*` is never among them. */
  unmatchedEntries(images: readonly NamedImage[]): readonly string[];
}

export interface ImageListError {
  readonly entry: string;
  /** To follow the entry: what is wrong in it, and what is allowed instead. */
  readonly message: string;
}

export type CompiledImageList =
  | { readonly ok: true; readonly list: ImageList }
  /** All that are wrong, in order. */
  | { readonly ok: false; readonly errors: readonly ImageListError[] };

type ParsedEntry = { readonly ok: true; readonly key: string } | { readonly ok: false; readonly message: string };

const EVERYTHING = '*';

/**
 * Compiles the entries of an ImageList or of `--image`: an image id with or without `sha256:`, `name:tag`, `name@sha256:…`, a repository
 * digest by itself, or `*` for every image. They are compared exactly, in normal form (`alpine:3.7.3` is `docker.io/library/alpine:3.7.3`),
 * and with all the names of an image. A bare name means `:latest`, as it does for every container runtime: what removes is read narrowly,
 * unlike an exclusion, where a bare name is the whole repository.
 */
export function compileImageList(entries: readonly string[]): CompiledImageList {
  const errors: ImageListError[] = [];
  const ordersByKey = new Map<string, number[]>();
  entries.forEach((entry, order) => {
    const parsed = parseEntry(entry.trim());
    if (!parsed.ok) errors.push({ entry, message: parsed.message });
    else ordersByKey.set(parsed.key, [...(ordersByKey.get(parsed.key) ?? []), order]);
  });
  if (errors.length > 0) return { ok: false, errors };

  const ordersOf = (image: NamedImage): readonly number[] => keysOf(namesOf(image)).flatMap((key) => ordersByKey.get(key) ?? []);
  return {
    ok: true,
    list: {
      match: (image) => entries[Math.min(...ordersOf(image))] ?? null,
      unmatchedEntries: (images) => {
        const matched = new Set([...images.flatMap(ordersOf), ...(ordersByKey.get(EVERYTHING) ?? [])]);
        return entries.filter((_entry, order) => !matched.has(order));
      },
    },
  };
}

function parseEntry(text: string): ParsedEntry {
  if (text === EVERYTHING) return { ok: true, key: EVERYTHING };
  if (text === '') return { ok: false, message: 'it is empty; a name such as "nginx:1.25", a digest, an image id or "*" is needed' };
  const digest = parseDigest(text);
  // An image id and a repository digest look alike: the key is the bare hex of either.
  if (digest !== null) return { ok: true, key: imageIdKey(digest) };
  if (isMalformedDigest(text)) return { ok: false, message: `it is no digest: ${DIGEST_FORMS} are needed` };
  if (text.includes('*') || text.includes('?')) {
    return { ok: false, message: 'a list names each image exactly: no wildcards, except "*" by itself for every image' };
  }
  const parsed = parseImageReference(text);
  if (!parsed.ok) return { ok: false, message: `${parsed.message}; an image with a name that is not valid can be given by its id` };
  const name = repositoryName(parsed.reference);
  const { digest: inRepository } = parsed.reference;
  return { ok: true, key: inRepository === null ? `${name}:${effectiveTag(parsed.reference) ?? ''}` : `${name}@${inRepository}` };
}

function keysOf(names: ImageNames): readonly string[] {
  return [EVERYTHING, imageIdKey(names.id), ...names.tagKeys, ...names.digestKeys, ...names.digests.map(imageIdKey)];
}
