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
  const imageIds = new Set<string>();
  const idsByKey: IdsByKey = new Map();
  for (const image of images) {
    const names = namesOf(image);
    imageIds.add(image.id);
    for (const key of names.tagKeys) addTo(idsByKey, key, image.id);
    // A repository digest is found by its digest, whatever the repository: that takes in what `name@sha256:…` means.
    for (const digest of names.digests) addTo(idsByKey, digest, image.id);
    for (const key of names.literals) addTo(idsByKey, key, image.id);
  }
  // Only for a container whose image is gone: most nodes have none.
  let idsByRepository: IdsByKey | null = null;
  const idsOfKey = (key: string): string[] => [...(imageIds.has(key) ? [key] : []), ...idsOf(idsByKey, key)];
  // Ids are listed with `sha256:` or without it, and both mean the same.
  const lookUp = (keys: readonly string[]): ReadonlySet<string> =>
    new Set(keys.flatMap((key) => [...idsOfKey(key), ...idsOfKey(`sha256:${key}`)]));
  const lookUpRepository = (reference: string): ReadonlySet<string> => {
    if (parseImageId(reference) !== null) return NONE;
    const parsed = parseImageReference(reference);
    return parsed.ok ? idsOf((idsByRepository ??= indexRepositories(images)), repositoryName(parsed.reference)) : NONE;
  };
  return { resolve: remembered((reference) => lookUp(referenceKeys(reference))), resolveRepository: remembered(lookUpRepository) };
}

function indexRepositories(images: readonly NodeImage[]): IdsByKey {
  const idsByRepository: IdsByKey = new Map();
  for (const image of images) {
    for (const repository of namesOf(image).repositories) addTo(idsByRepository, repository, image.id);
  }
  return idsByRepository;
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

/** The texts in normal form that an image is known by when this reference means it; an image id is without `sha256:`. */
export function referenceKeys(text: string): readonly string[] {
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

/** Nearly every name is that of one image: only the others get a set. */
type IdsByKey = Map<string, string | Set<string>>;

function addTo(idsByKey: IdsByKey, key: string, id: string): void {
  const known = idsByKey.get(key);
  if (known === undefined) idsByKey.set(key, id);
  else if (typeof known !== 'string') known.add(id);
  else if (known !== id) idsByKey.set(key, new Set([known, id]));
}

function idsOf(idsByKey: IdsByKey, key: string): ReadonlySet<string> {
  const ids = idsByKey.get(key) ?? NONE;
  return typeof ids === 'string' ? new Set([ids]) : ids;
}
