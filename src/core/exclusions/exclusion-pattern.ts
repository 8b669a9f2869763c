import { parseRepositoryPattern, type RepositoryPattern } from './exclusion-repository.ts';
import { parseTagPattern, type VersionPattern } from './exclusion-tag.ts';
import { findLoneRegistry } from './lone-registry.ts';
import { DIGEST_FORMS, findDigestFault, isMalformedDigest, parseDigest, quote } from '../reference.ts';

/** One entry of an exclusion list. */
export type ExclusionPattern =
  /** `*`: every image, also one without any name. */
  | { readonly kind: 'everything' }
  /** `sha256:…`: the image of that id, or with that digest in any repository. */
  | { readonly kind: 'digest'; readonly digest: string }
  | { readonly kind: 'repository'; readonly repository: RepositoryPattern; readonly version: VersionPattern };

export type ParsedExclusion =
  | { readonly ok: true; readonly pattern: ExclusionPattern }
  /** What is wrong, where, and what is allowed there, to follow the entry. */
  | { readonly ok: false; readonly message: string };

/** Longer than any name (path 255, tag 128, digest 135 characters and a host) or sensible range. */
const ENTRY_LENGTH_MAX = 1024;

/**
 * Parses an exclusion. White space around it does not count.
 *
 * | entry | protects |
 * | --- | --- |
 * | `sha256:…`, 64 hex digits | the image of that id, and each with that repository digest |
 * | `name@sha256:…`, `name:tag@sha256:…` | that digest in that repository |
 * | `name:tag` | that tag of that repository |
 * | `name`, `name:*` | every tag and digest of that repository, and of no other |
 * | `prefix/*` (the same with two stars) | all repositories below that registry or repository, at any depth |
 * | `*` | everything |
 * | wildcards in the repository | see `parseRepositoryPattern` |
 * | `name:1.2*`, `name:<1.25` | tags by wildcard, and by version; see `parseTagPattern` |
 *
 * The first six are Eraser's and AKS Image Cleaner's. Everything is compared in normal form: `nginx` is `docker.io/library/nginx`.
 */
export function parseExclusion(entry: string): ParsedExclusion {
  const text = entry.trim();
  const digest = parseDigest(text);
  if (digest !== null) return { ok: true, pattern: { kind: 'digest', digest } };
  if (text === '*' || text === '**') return { ok: true, pattern: { kind: 'everything' } };
  const fault = findEntryFault(text);
  if (fault !== null) return { ok: false, message: fault };

  const parts = splitEntry(text);
  const version = parseVersion(parts.tag, parts.digest);
  if (!version.ok) return version;
  const repository = parseRepositoryPattern(parts.repository);
  if (!repository.ok) return repository;
  return { ok: true, pattern: { kind: 'repository', repository: repository.pattern, version: version.pattern } };
}

function findEntryFault(text: string): string | null {
  if (text === '') return 'it is empty; a name, a pattern such as "ghcr.io/acme/*", a digest or an image id is needed';
  if (text.length > ENTRY_LENGTH_MAX) return `it is ${text.length} characters long: at most ${ENTRY_LENGTH_MAX}`;
  if (isMalformedDigest(text)) return `it is no digest: ${DIGEST_FORMS} are needed`;
  if (SHORT_ID.test(text))
    return `it looks like the beginning of an image id: give all 64 digits, or "${text}:*" for a repository of that name`;
  const registry = text.includes('/') ? null : findLoneRegistry(text);
  return registry === null
    ? null
    : `it looks like a registry: write "${registry}/*" for all in it, or "docker.io/library/${text}" for a repository of that name`;
}

/** What lists and tables show of an image id. Read as a name it would protect nothing. */
const SHORT_ID = /^[0-9a-f]{12,63}$/;

interface EntryParts {
  readonly repository: string;
  readonly tag: string | null;
  readonly digest: string | null;
}

/** A `:` before the last `/` is a registry's port; neither a range nor a digest has a `/`. */
function splitEntry(text: string): EntryParts {
  const slash = text.lastIndexOf('/');
  const at = text.indexOf('@', slash + 1);
  const tagged = at === -1 ? text : text.slice(0, at);
  const colon = tagged.indexOf(':', slash + 1);
  return {
    repository: colon === -1 ? tagged : tagged.slice(0, colon),
    tag: colon === -1 ? null : tagged.slice(colon + 1),
    digest: at === -1 ? null : text.slice(at + 1),
  };
}

type ParsedVersion = { readonly ok: true; readonly pattern: VersionPattern } | { readonly ok: false; readonly message: string };

function parseVersion(tag: string | null, digest: string | null): ParsedVersion {
  const parsed = tag === null ? null : parseTagPattern(tag);
  if (parsed?.ok === false || digest === null) return parsed ?? { ok: true, pattern: { kind: 'every' } };
  const fault = findDigestFault(digest);
  if (fault !== null) return { ok: false, message: fault.message };
  if (parsed !== null && parsed.pattern.kind !== 'tag') {
    return {
      ok: false,
      message: `the digest says already which image is meant: with it, the tag ${quote(tag ?? '')} can only be a plain one`,
    };
  }
  return { ok: true, pattern: { kind: 'digest', digest } };
}
