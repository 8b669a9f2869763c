import type { NodeImage } from '../api/inventory.ts';
import { isDigest } from './reference-grammar.ts';
import { imageIdKey, parseImageReference, repositoryName, type ImageReference } from './reference.ts';

/** What names an image. */
export type NamedImage = Pick<NodeImage, 'id' | 'repoTags' | 'repoDigests'>;

/** All the names of one image, parsed and in normal form, each key once and in the runtime's order. */
export interface ImageNames {
  /** The image id without `sha256:`. */
  readonly idKey: string;
  /** The repository tags, then the repository digests; of one name twice, both. */
  readonly references: readonly ImageReference[];
  /** `docker.io/library/nginx:1.25`; a name with neither tag nor digest means `:latest`. */
  readonly tagKeys: readonly string[];
  /** `docker.io/library/nginx@sha256:…`. */
  readonly digestKeys: readonly string[];
  /** `docker.io/library/nginx`. */
  readonly repositories: readonly string[];
  /** `sha256:…`. */
  readonly digests: readonly string[];
  /** Names that are no valid references, as old imports may have them: only an equal text matches them. */
  readonly literals: readonly string[];
}

const cache = new WeakMap<NamedImage, ImageNames>();

/** The names of an image, parsed once per image object. Never throws, whatever the names are. */
export function namesOf(image: NamedImage): ImageNames {
  const known = cache.get(image);
  if (known !== undefined) return known;
  const names = parseNames(image);
  cache.set(image, names);
  return names;
}

function parseNames(image: NamedImage): ImageNames {
  const references: ImageReference[] = [];
  const tagKeys: string[] = [];
  const digestKeys: string[] = [];
  const repositories: string[] = [];
  const digests: string[] = [];
  const literals: string[] = [];
  for (const text of image.repoTags.concat(image.repoDigests)) {
    const parsed = parseImageReference(text);
    if (!parsed.ok) {
      literals.push(text);
      const digest = text.slice(text.lastIndexOf('@') + 1);
      // `<none>@sha256:…` names no repository, yet the digest is the image's.
      if (digest.length < text.length && isDigest(digest)) digests.push(digest);
      continue;
    }
    const { reference } = parsed;
    const name = repositoryName(reference);
    const tag = effectiveTag(reference);
    references.push(reference);
    repositories.push(name);
    if (tag !== null) tagKeys.push(`${name}:${tag}`);
    if (reference.digest !== null) {
      digestKeys.push(`${name}@${reference.digest}`);
      digests.push(reference.digest);
    }
  }
  return {
    idKey: imageIdKey(image.id),
    references,
    tagKeys: eachOnce(tagKeys),
    digestKeys: eachOnce(digestKeys),
    repositories: eachOnce(repositories),
    digests: eachOnce(digests),
    literals: eachOnce(literals),
  };
}

/** Most images have one or two names, and nodes have many images: no set for those. */
function eachOnce(texts: readonly string[]): readonly string[] {
  if (texts.length < 2 || (texts.length === 2 && texts[0] !== texts[1])) return texts;
  return texts.length === 2 ? texts.slice(1) : [...new Set(texts)];
}

/** Every text in normal form that means this image, but for its id: `docker.io/library/nginx:1.25`, `docker.io/library/nginx@sha256:…`, `sha256:…`. */
export function imageKeys(image: NamedImage): readonly string[] {
  const { tagKeys, digestKeys, digests, literals } = namesOf(image);
  return [...tagKeys, ...digestKeys, ...digests, ...literals];
}

/** The tag that a name stands for: its own, else `latest`, else none where a digest says which image it is. */
export function effectiveTag(reference: ImageReference): string | null {
  return reference.tag ?? (reference.digest === null ? 'latest' : null);
}
