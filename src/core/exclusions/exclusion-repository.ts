import { hasWildcard, withoutWildcards } from './exclusion-glob.ts';
import { DOCKER_HUB, findNameFault, quote, splitRegistry, type ReferenceErrorCode } from '../reference.ts';

/** Which repositories an exclusion means, in normal form (`docker.io/library/nginx`). */
export type RepositoryPattern =
  | { readonly kind: 'every' }
  | { readonly kind: 'exact'; readonly name: string }
  /** All that is below the prefix, at a `/`, at any depth; not the prefix itself. */
  | { readonly kind: 'below'; readonly prefix: string }
  /** Components of the normal name, the registry first; `**` stands for any number of them. */
  | { readonly kind: 'glob'; readonly components: readonly string[] };

export type ParsedRepositoryPattern =
  { readonly ok: true; readonly pattern: RepositoryPattern } | { readonly ok: false; readonly message: string };

/**
 * Parses the repository of an exclusion. Names are normalised as references are, wildcards or not: without a registry (a first component
 * with a `.` or a `:`, or `localhost`) it is Docker Hub's, and there a single component is in `library/` (`nginx*` is
 * `docker.io/library/nginx*`, `foo/*` is `docker.io/foo/*`). Beyond that:
 * - `*` or `**` alone is every repository;
 * - `*` or `**` as the first of several components is any registry: the pattern is compared with the whole normal name, so that a star,
 *   a slash and `pause` match `registry.k8s.io/pause`;
 * - a `*` or `**` as the last component is all that is below, at any depth; `**` elsewhere is any number of components, also none;
 * - `*` and `?` stay within one component, and `**` is a component by itself.
 */
export function parseRepositoryPattern(text: string): ParsedRepositoryPattern {
  if (isStars(text)) return { ok: true, pattern: { kind: 'every' } };
  const components = text.split('/');
  const isBelow = components.length > 1 && isStars(components.at(-1) ?? '');
  const head = isBelow ? components.slice(0, -1) : components;
  const fault = findWildcardFault(components);
  if (fault !== null) return { ok: false, message: fault };

  const { registry, path } = normalise(head, isBelow);
  const nameFault = findNameFault(plain(registry, path), { registry, path: path.join('/') });
  if (nameFault !== null) return { ok: false, message: `${nameFault.message}; ${hintAfter(nameFault.code)}` };
  return { ok: true, pattern: makePattern([registry, ...path], isBelow) };
}

/** A name of an old import may be no reference at all: the id is then the only way to name the image. */
function hintAfter(code: ReferenceErrorCode): string {
  const byId = 'an image with a name that is not valid can be given by its id';
  return code === 'invalid-name' ? `wildcards are "*" and "?", and "**" as a component by itself; ${byId}` : byId;
}

function isStars(component: string): boolean {
  return component === '*' || component === '**';
}

function findWildcardFault(components: readonly string[]): string | null {
  const mixed = components.find((component) => component.includes('**') && component !== '**');
  if (mixed !== undefined) return `in ${quote(mixed)}, "**" is not a component by itself: write "*", which stays within one, or "/**/"`;
  const first = components[0] ?? '';
  if (components.length === 1 || isStars(first) || !hasWildcard(first) || /[.:]/.test(first)) return null;
  return (
    `${quote(first)} may be a registry or a namespace of Docker Hub: write ${quote(`${DOCKER_HUB}/${first}/…`)}, ` +
    'a registry with its domain or port, such as "*.example.com/…", or "*/…" for any registry'
  );
}

/** The registry, and the components below it; with `isBelow`, none for a whole registry. */
function normalise(components: readonly string[], isBelow: boolean): { readonly registry: string; readonly path: readonly string[] } {
  const [first = '', ...others] = components;
  if (isStars(first)) return { registry: first, path: others };
  if (!isBelow) {
    const { registry, rest } = splitRegistry(components.join('/'));
    return { registry, path: rest.split('/') };
  }
  // With something two components deep below it, no `library/` is put in between: `docker.io/*` is all of Docker Hub.
  const { registry, rest } = splitRegistry([...components, '*', '*'].join('/'));
  return { registry, path: rest.split('/').slice(0, -2) };
}

/** Something of the same form without wildcards. A whole registry has no path, and any path will do. */
function plain(registry: string, path: readonly string[]): { readonly registry: string; readonly path: string } {
  const anyRegistry = isStars(registry);
  return {
    registry: anyRegistry ? DOCKER_HUB : withoutWildcards(registry),
    path: path.length === 0 ? 'any' : withoutWildcards(path.join('/')),
  };
}

function makePattern(components: readonly string[], isBelow: boolean): RepositoryPattern {
  const name = components.join('/');
  if (hasWildcard(name)) return { kind: 'glob', components: isBelow ? [...components, '*', '**'] : components };
  return isBelow ? { kind: 'below', prefix: name } : { kind: 'exact', name };
}
