import type { KubeObject } from '../../src/kube/kube-object.ts';
import type { Change } from './object-history.ts';
import { valueAt } from './object-patches.ts';

export interface Place {
  /** `group/plural`. */
  readonly collection: string;
  readonly namespace: string | null;
  readonly name: string | null;
  readonly subresource: string | null;
}

/** An object that a selector no longer chooses is deleted for the watch, one that it chooses now is added. */
export function lineFor(change: Change, place: Place, query: URLSearchParams): string | null {
  if (change.collection !== place.collection || !inNamespace(place, change.object)) return null;
  const is = change.type !== 'DELETED' && matches(change.object, query);
  const was = change.before !== null && matches(change.before, query);
  if (!is && !was) return null;
  const type = !is ? 'DELETED' : was ? 'MODIFIED' : 'ADDED';
  return `${JSON.stringify({ type, object: change.object })}\n`;
}

export function placeOf(path: string): Place {
  const parts = path.split('/').slice(1).map(decodeURIComponent);
  const group = parts[0] === 'api' ? '' : (parts[1] ?? '');
  const rest = parts.slice(parts[0] === 'api' ? 2 : 3);
  const namespace = rest[0] === 'namespaces' && rest.length > 2 ? (rest[1] ?? null) : null;
  const [plural = '', name = null, subresource = null] = namespace === null ? rest : rest.slice(2);
  return { collection: `${group}/${plural}`, namespace, name, subresource };
}

export function keyOf(namespace: string | null, name: string): string {
  return namespace === null ? name : `${namespace}/${name}`;
}

export function inNamespace({ namespace }: Place, object: KubeObject): boolean {
  return namespace === null || object.metadata.namespace === namespace;
}

/** Selectors of equality, and of labels that are there or (`!`) not. */
export function matches(object: KubeObject, query: URLSearchParams): boolean {
  const labels = (object.metadata['labels'] ?? {}) as Record<string, string>;
  const chosen = (selector: string | null, valueOf: (field: string) => unknown): boolean =>
    (selector ?? '').split(',').every((term) => {
      if (term.startsWith('!')) return valueOf(term.slice(1)) === undefined;
      const [field = '', value] = term.split('=');
      return term === '' || (value === undefined ? valueOf(field) !== undefined : valueOf(field) === value);
    });
  return (
    chosen(query.get('labelSelector'), (label) => labels[label]) &&
    chosen(query.get('fieldSelector'), (field) => valueAt(object, `.${field}`))
  );
}

export function parseToken(token: string): [number, string] {
  return JSON.parse(Buffer.from(token, 'base64url').toString()) as [number, string];
}
