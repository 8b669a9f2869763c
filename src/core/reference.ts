import {
  isDigest,
  isDigestLike,
  isHostLikeComponent,
  isIdentifier,
  isRegistryHost,
  isRepositoryPath,
  isTag,
  PATH_LENGTH_MAX,
} from './reference-grammar.ts';

/** An image reference in normal form: `nginx` is registry `docker.io`, repository `library/nginx`. */
export interface ImageReference {
  /** Host with its port, if any: `docker.io`, `localhost`, `[::1]:5000`. */
  readonly registry: string;
  /** The path below the registry: `library/nginx`. */
  readonly repository: string;
  /** null: none was given; what that means (`latest`, every tag) is for the reader to say. */
  readonly tag: string | null;
  /** `sha256:…`, `sha384:…` or `sha512:…`. */
  readonly digest: string | null;
}

export type ReferenceErrorCode =
  'empty' | 'image-id' | 'uppercase-name' | 'invalid-registry' | 'invalid-name' | 'name-too-long' | 'invalid-tag' | 'invalid-digest';

export interface ReferenceFault {
  readonly code: ReferenceErrorCode;
  /** Which part is wrong and what is allowed there, to follow the whole text: `the tag "a b" is not valid: …`. */
  readonly message: string;
}

export type ParsedReference = { readonly ok: true; readonly reference: ImageReference } | ({ readonly ok: false } & ReferenceFault);

interface RepositoryParts {
  readonly registry: string;
  readonly path: string;
}

const REGISTRY_FORMS = 'allowed is a host name, an IPv4 or an [IPv6] address, and a :port';
const PATH_FORMS = 'allowed are lower-case letters and digits, with ".", "_", "__" or dashes between them, in components separated by "/"';
const TAG_FORMS = 'allowed are up to 128 letters, digits, "_", "." and "-", beginning with neither "." nor "-"';
/** For messages. */
export const DIGEST_FORMS = '"sha256:" and 64, "sha384:" and 96 or "sha512:" and 128 lower-case hex digits';

export const DOCKER_HUB = 'docker.io';
/** Docker Hub's old name (distribution/reference normalize.go, legacyDefaultDomain). */
const LEGACY_DOCKER_HUB = 'index.docker.io';
const OFFICIAL_NAMESPACE = 'library';

/**
 * Parses an image reference and normalises it as Docker, containerd and the kubelet do (distribution/reference, ParseNormalizedNamed), with
 * two differences, both on the strict side: `Foo/bar` is refused, where distribution takes the host `Foo` (an upper-case name is far more
 * often a mistake than a host without a domain); and so is `sha256:<64 hex>`, which is an image id and no tag of a repository `sha256`.
 */
export function parseImageReference(text: string): ParsedReference {
  if (text === '') return { ok: false, ...fault('empty', 'it is empty; a name such as "nginx:1.25" is needed') };
  if (isIdentifier(text) || isDigest(text)) return { ok: false, ...fault('image-id', 'it is an image id, not a name') };
  const { registry, rest } = splitRegistry(text);
  const { path, tag, digest } = splitVersion(rest);
  const found = findNameFault({ registry, path }) ?? findTagFault(tag) ?? findDigestFault(digest);
  return found === null ? { ok: true, reference: { registry, repository: path, tag, digest } } : { ok: false, ...found };
}

/**
 * Splits off the registry as distribution's splitDockerDomain does: the first component is one when it has a `.` or a `:` or is `localhost`;
 * else the name is Docker Hub's, and there a single component is in `library/`. Looks at nothing else, so it serves patterns as well.
 */
export function splitRegistry(text: string): { readonly registry: string; readonly rest: string } {
  const slash = text.indexOf('/');
  if (slash === -1) return { registry: DOCKER_HUB, rest: `${OFFICIAL_NAMESPACE}/${text}` };
  const first = text.slice(0, slash);
  const isRegistry = first === 'localhost' || first.includes('.') || first.includes(':');
  if (!isRegistry) return { registry: DOCKER_HUB, rest: text };
  const registry = first === LEGACY_DOCKER_HUB ? DOCKER_HUB : first;
  const rest = text.slice(slash + 1);
  return { registry, rest: registry === DOCKER_HUB && !rest.includes('/') ? `${OFFICIAL_NAMESPACE}/${rest}` : rest };
}

/** Neither a path nor a tag has a `:` or an `@`, and a digest no second `@`: the first of each is the separator. */
function splitVersion(rest: string): { readonly path: string; readonly tag: string | null; readonly digest: string | null } {
  const at = rest.indexOf('@');
  const tagged = at === -1 ? rest : rest.slice(0, at);
  const colon = tagged.indexOf(':');
  return {
    path: colon === -1 ? tagged : tagged.slice(0, colon),
    tag: colon === -1 ? null : tagged.slice(colon + 1),
    digest: at === -1 ? null : rest.slice(at + 1),
  };
}

/**
 * What is wrong with a repository's name, null: nothing. For a pattern, `shown` is the pattern itself, and `registry` and `path` are it with
 * something plain in place of each wildcard.
 */
export function findNameFault(name: RepositoryParts, shown: RepositoryParts = name): ReferenceFault | null {
  const { registry, path } = name;
  const isHost = isRegistryHost(registry);
  if (!isHost && !isHostLikeComponent(registry)) {
    return fault('invalid-registry', `the registry ${quote(shown.registry)} is not valid: ${REGISTRY_FORMS}`);
  }
  if (!isRepositoryPath(path)) {
    return path.toLowerCase() === path
      ? fault('invalid-name', `the repository ${quote(shown.path)} is not valid: ${PATH_FORMS}`)
      : fault('uppercase-name', `the repository ${quote(shown.path)} has upper-case letters: only the registry and the tag may`);
  }
  const length = isHost ? path.length : registry.length + 1 + path.length;
  if (length <= PATH_LENGTH_MAX) return null;
  return fault('name-too-long', `the repository is ${length} characters long: at most ${PATH_LENGTH_MAX}`);
}

export function findTagFault(tag: string | null): ReferenceFault | null {
  return tag === null || isTag(tag) ? null : fault('invalid-tag', `the tag ${quote(tag)} is not valid: ${TAG_FORMS}`);
}

export function findDigestFault(digest: string | null): ReferenceFault | null {
  return digest === null || isDigest(digest)
    ? null
    : fault('invalid-digest', `the digest ${quote(digest)} is not valid: ${DIGEST_FORMS} are needed`);
}

function fault(code: ReferenceErrorCode, message: string): ReferenceFault {
  return { code, message };
}

/** A part of a message, in quotes; what is longer than 80 characters is cut. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}

/** The normal form, with the tag and the digest that the reference has: `docker.io/library/nginx:1.25@sha256:…`. */
export function formatImageReference(reference: ImageReference): string {
  const tag = reference.tag === null ? '' : `:${reference.tag}`;
  const digest = reference.digest === null ? '' : `@${reference.digest}`;
  return `${repositoryName(reference)}${tag}${digest}`;
}

/** `docker.io/library/nginx`. */
export function repositoryName(reference: Pick<ImageReference, 'registry' | 'repository'>): string {
  return `${reference.registry}/${reference.repository}`;
}

/** The key (`imageIdKey`) of an image id: `sha256:` and 64 lower-case hex digits, or those digits alone. null: the text is no image id. */
export function parseImageId(text: string): string | null {
  const key = imageIdKey(text);
  return isIdentifier(key) ? key : null;
}

/** An image id without `sha256:`: runtimes differ in whether they write it (containerd does, CRI-O does not). */
export function imageIdKey(id: string): string {
  return id.startsWith('sha256:') ? id.slice('sha256:'.length) : id;
}

/** The same image id, with or without `sha256:`. */
export function sameImageId(a: string, b: string): boolean {
  return a === b || imageIdKey(a) === imageIdKey(b);
}

/** A digest by itself, of whatever algorithm; bare hex is taken for sha256. null: the text is no digest. */
export function parseDigest(text: string): string | null {
  if (isIdentifier(text)) return `sha256:${text}`;
  return isDigest(text) ? text : null;
}

/** Begins with `sha256:` or the like, but is no digest: a mistake to report, not a repository of that name. */
export function isMalformedDigest(text: string): boolean {
  return isDigestLike(text) && !isDigest(text);
}
