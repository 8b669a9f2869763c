import type { NodeImage } from '../api/inventory.ts';
import { isDigest } from './reference-grammar.ts';
import { parseImageReference, repositoryName, type ImageReference } from './reference.ts';

/** What names an image. */
export type NamedImage = Pick<NodeImage, 'id' | 'repoTags' | 'repoDigests'>;

/** All the names of one image, parsed and in normal form, each key once and in the runtime's order. */
export interface ImageNames {
  /** The image id as the runtime writes it, with `sha256:` or without. */
  readonly id: string;
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
  let references: ImageReference[] = [];
  let tagKeys: string[] = [];
  let digestKeys: string[] = [];
  let repositories: string[] = [];
  let digests: string[] = [];
  let literals: string[] = [];
  for (const text of image.repoTags.concat(image.repoDigests)) {
    const parsed = parseImageReference(text);
    if (!parsed.ok) {
      literals = withNext(literals, text);
      const digest = text.slice(text.lastIndexOf('@') + 1);
      // `<none>@sha256:…` names no repository, yet the digest is the image's.
      if (digest.length < text.length && isDigest(digest)) digests = withNext(digests, digest);
      continue;
    }
    const { reference } = parsed;
    const { repository, tagKey, digestKey } = writtenForms(reference, text);
    references = withNext(references, reference);
    repositories = withNext(repositories, repository);
    if (tagKey !== null) tagKeys = withNext(tagKeys, tagKey);
    if (digestKey !== null) digestKeys = withNext(digestKeys, digestKey);
    if (reference.digest !== null) digests = withNext(digests, reference.digest);
  }
  return {
    id: image.id,
    references,
    tagKeys: eachOnce(tagKeys),
    digestKeys: eachOnce(digestKeys),
    repositories: eachOnce(repositories),
    digests: eachOnce(digests),
    literals: eachOnce(literals),
  };
}

/** Most images have one or two names, and nodes have many images: a list that small is given no room to grow. */
function withNext<T>(list: T[], item: T): T[] {
  if (list.length === 0) return [item];
  if (list.length === 1) return [...list, item];
  list.push(item);
  return list;
}

interface WrittenForms {
  readonly repository: string;
  readonly tagKey: string | null;
  readonly digestKey: string | null;
}

/** The forms of a name that is written so in this text. Pieces of it where it has them, since texts put together of others are slow to look up. */
function writtenForms(reference: ImageReference, text: string): WrittenForms {
  const { registry, repository: path, digest } = reference;
  const tag = effectiveTag(reference);
  const nameLength = registry.length + 1 + path.length;
  // To normalise a name always adds to it, or takes from it.
  const isNormal = text.length === nameLength + versionLength(reference);
  const repository = isNormal ? text.slice(0, nameLength) : repositoryName(reference);
  const isWhole = isNormal && (reference.tag === null) !== (digest === null);
  return {
    repository,
    tagKey: tag === null ? null : isWhole ? text : `${repository}:${tag}`,
    digestKey: digest === null ? null : isWhole ? text : `${repository}@${digest}`,
  };
}

function versionLength({ tag, digest }: ImageReference): number {
  return (tag === null ? 0 : 1 + tag.length) + (digest === null ? 0 : 1 + digest.length);
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
