import { isDeepStrictEqual } from 'node:util';

export type JsonObject = Readonly<Record<string, unknown>>;

/**
 * The JSON merge patch (RFC 7386) that makes the one object of the other; null when there is nothing to change. Lists are replaced as a
 * whole. A null in `to` counts as absent, since a merge patch cannot set one.
 */
export function planMergePatch(from: JsonObject, to: JsonObject): JsonObject | null {
  const patch: Record<string, unknown> = {};
  for (const key of new Set([...Object.keys(from), ...Object.keys(to)])) {
    const before = ownOf(from, key);
    const after = ownOf(to, key) ?? null;
    if (after === null) {
      if (before !== undefined) setOwn(patch, key, null);
    } else if (isPlainObject(before) && isPlainObject(after)) {
      const inner = planMergePatch(before, after);
      if (inner !== null) setOwn(patch, key, inner);
    } else if (!isDeepStrictEqual(before, after)) setOwn(patch, key, after);
  }
  return Object.keys(patch).length === 0 ? null : patch;
}

/** `__proto__` is a key like any other: every object seems to have one. */
function ownOf(object: JsonObject, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** An assignment to `__proto__` would set none. */
function setOwn(target: object, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
}

function isPlainObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
