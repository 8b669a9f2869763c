import { isDeepStrictEqual } from 'node:util';
import type { KubeObject } from '../../src/kube/kube-object.ts';
import { Refusal } from './api-refusal.ts';

export function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const result = typeof target === 'object' && target !== null && !Array.isArray(target) ? { ...(target as Record<string, unknown>) } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) Reflect.deleteProperty(result, key);
    else result[key] = mergePatch(result[key], value);
  }
  return result;
}

export interface JsonOperation {
  readonly op: 'add' | 'replace' | 'remove' | 'test';
  readonly path: string;
  readonly value?: unknown;
}

/** Of members of objects, not of lists. */
export function jsonPatch(target: KubeObject, operations: readonly JsonOperation[]): unknown {
  const result: unknown = structuredClone(target);
  for (const { op, path, value } of operations) {
    const steps = path
      .split('/')
      .slice(1)
      .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
    const last = steps.pop() ?? '';
    const parent = steps.reduce<unknown>((at, step) => (at as Record<string, unknown> | undefined)?.[step], result) as
      Record<string, unknown> | undefined;
    const isMissing = parent === undefined || (op !== 'add' && !(last in parent));
    if (isMissing || (op === 'test' && !isDeepStrictEqual(parent[last], value))) {
      throw new Refusal(422, 'Invalid', 'the server rejected our request due to an error in our request');
    }
    if (op === 'remove') Reflect.deleteProperty(parent, last);
    else if (op !== 'test') parent[last] = value;
  }
  return result;
}

export function leavesOf(value: unknown, path = ''): [string, unknown][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [[path, value]];
  return Object.entries(value).flatMap(([key, inner]) => leavesOf(inner, `${path}.${key}`));
}

export function valueAt(object: unknown, path: string): unknown {
  return path
    .split('.')
    .slice(1)
    .reduce<unknown>((at, step) => (at as Record<string, unknown> | undefined)?.[step], object);
}
