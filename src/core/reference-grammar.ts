/**
 * The grammar of distribution/reference (regexp.go), part by part. Every expression is deterministic: after each character at most one
 * way to go on, so that matching is linear in the length of the text.
 */
const ALPHANUMERIC = '[a-z0-9]+';
/** One period, one or two underscores, or any number of dashes. */
const SEPARATOR = '(?:[._]|__|-+)';
const PATH_COMPONENT = `${ALPHANUMERIC}(?:${SEPARATOR}${ALPHANUMERIC})*`;
const HOST_COMPONENT = '[a-zA-Z0-9]+(?:-+[a-zA-Z0-9]+)*';
/** IPv6 zones and IPv4-mapped addresses are left out on purpose, as there. */
const IPV6 = '\\[[a-fA-F0-9:]+\\]';

const REGISTRY_PATTERN = new RegExp(`^(?:${HOST_COMPONENT}(?:\\.${HOST_COMPONENT})*|${IPV6})(?::[0-9]+)?$`);
const PATH_PATTERN = new RegExp(`^${PATH_COMPONENT}(?:/${PATH_COMPONENT})*$`);
const COMPONENT_PATTERN = new RegExp(`^${PATH_COMPONENT}$`);
const TAG_PATTERN = /^\w[\w.-]{0,127}$/;

/** The algorithms of opencontainers/go-digest and the number of lower-case hex digits of each; distribution refuses all others. */
const DIGEST_PATTERN = /^(?:sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128})$/;
const DIGEST_LIKE_PATTERN = /^sha(?:256|384|512):/i;
const IDENTIFIER_PATTERN = /^[a-f0-9]{64}$/;

/** Characters of a path (reference.go, RepositoryNameTotalLengthMax). */
export const PATH_LENGTH_MAX = 255;

export function isRegistryHost(text: string): boolean {
  return REGISTRY_PATTERN.test(text);
}

/**
 * A first component such as `my_registry.local` is no host, yet distribution takes it: its expression then reads the whole name as a path
 * without a domain. The name is the same either way, so here the component counts as the registry.
 */
export function isHostLikeComponent(text: string): boolean {
  return text.includes('.') && COMPONENT_PATTERN.test(text);
}

export function isRepositoryPath(text: string): boolean {
  return PATH_PATTERN.test(text);
}

export function isTag(text: string): boolean {
  return TAG_PATTERN.test(text);
}

/** `sha256:` and 64, `sha384:` and 96, or `sha512:` and 128 lower-case hex digits. */
export function isDigest(text: string): boolean {
  return text.startsWith('sha') && DIGEST_PATTERN.test(text);
}

/** Begins as a digest does; where it is none, it is a mistake rather than a repository called `sha256`. */
export function isDigestLike(text: string): boolean {
  return DIGEST_LIKE_PATTERN.test(text);
}

/** The 64 lower-case hex digits of an image id without its `sha256:`. */
export function isIdentifier(text: string): boolean {
  // Nearly every text that is asked about is none, and told by its length.
  return text.length === 64 && IDENTIFIER_PATTERN.test(text);
}
