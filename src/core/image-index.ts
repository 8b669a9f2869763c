import type { NodeImage } from '../api/inventory.ts';
import { namesOf } from './names.ts';
import { imageIdKey, parseImageId, parseImageReference, repositoryName } from './reference.ts';

/** Finds the images that a reference may mean, by every way in which a runtime or a manifest names one. */
export interface ImageIndex {
  /** The ids of all images that the reference names; empty when it names none. */
  resolve(reference: string): ReadonlySet<string>;
  /** The ids of all images of the repository that the reference names; empty for an id or a name that does not parse. */
  resolveRepository(reference: string): ReadonlySet<string>;
}

const NONE: ReadonlySet<string> = new Set();

/**
 * Indexes images by id, repository tag, repository digest and bare digest, each in normal form. A reference with a tag and a digest
 * resolves by both, since runtimes differ in which they honour: for a guard, too many images are better than one too few.
 */
export function indexImages(images: readonly NodeImage[]): ImageIndex {
  const idsByKey = new Map<string, Set<string>>();
  const idsByRepository = new Map<string, Set<string>>();
  for (const image of images) {
    const names = namesOf(image);
    const keys = [names.idKey, ...names.tagKeys, ...names.digestKeys, ...names.digests.map(imageIdKey), ...names.literals];
    for (const key of keys) addTo(idsByKey, key, image.id);
    for (const repository of names.repositories) addTo(idsByRepository, repository, image.id);
  }
  const lookUp = (keys: readonly string[]): ReadonlySet<string> => {
    const found = keys.map((key) => idsByKey.get(key)).filter((ids) => ids !== undefined);
    return found.length === 1 ? (found[0] ?? NONE) : new Set(found.flatMap((ids) => [...ids]));
  };
  const lookUpRepository = (reference: string): ReadonlySet<string> => {
    if (parseImageId(reference) !== null) return NONE;
    const parsed = parseImageReference(reference);
    return parsed.ok ? (idsByRepository.get(repositoryName(parsed.reference)) ?? NONE) : NONE;
  };
  return { resolve: remembered((reference) => lookUp(keysOf(reference))), resolveRepository: remembered(lookUpRepository) };
}

/** The containers of a node name the same images again and again, and are asked about before each removal. */
function remembered(find: (reference: string) => ReadonlySet<string>): (reference: string) => ReadonlySet<string> {
  const known = new Map<string, ReadonlySet<string>>();
  return (reference) => {
    const before = known.get(reference);
    if (before !== undefined) return before;
    const found = find(reference);
    known.set(reference, found);
    return found;
  };
}

function keysOf(text: string): readonly string[] {
  const id = parseImageId(text);
  if (id !== null) return [id];
  const parsed = parseImageReference(text);
  if (!parsed.ok) return [text];
  const { tag, digest } = parsed.reference;
  const name = repositoryName(parsed.reference);
  if (digest === null) return [`${name}:${tag ?? 'latest'}`, text];
  const byDigest = [`${name}@${digest}`, imageIdKey(digest), text];
  return tag === null ? byDigest : [...byDigest, `${name}:${tag}`];
}

function addTo(map: Map<string, Set<string>>, key: string, id: string): void {
  const ids = map.get(key);
  if (ids === undefined) map.set(key, new Set([id]));
  else ids.add(id);
}
