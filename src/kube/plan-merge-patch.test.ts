import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type JsonObject, planMergePatch } from './plan-merge-patch.ts';

/** RFC 7386, section 2. */
function apply(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const result = new Map(typeof target === 'object' && target !== null && !Array.isArray(target) ? Object.entries(target) : []);
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) result.delete(key);
    else result.set(key, apply(result.get(key), value));
  }
  return Object.fromEntries(result);
}

const json = fc.letrec((tie) => ({
  value: fc.oneof({ depthSize: 'small' }, fc.string(), fc.integer(), fc.boolean(), fc.array(fc.integer()), tie('object')),
  object: fc.dictionary(fc.constantFrom('a', 'b', 'c', '__proto__'), tie('value'), { maxKeys: 4, noNullPrototype: true }),
})).object as fc.Arbitrary<JsonObject>;

describe('planMergePatch', () => {
  test('makes the one of the other', () => {
    fc.assert(
      fc.property(json, json, (from, to) => {
        expect(apply(from, planMergePatch(from, to) ?? {})).toEqual(to);
      }),
    );
  });

  test('has nothing to say of what is the same', () => {
    fc.assert(
      fc.property(json, (same) => {
        expect(planMergePatch(same, structuredClone(same))).toBeNull();
      }),
    );
  });

  test('touches only what differs, and replaces lists', () => {
    const from = { phase: 'Running', counts: { done: 1, failed: 0 }, conditions: [{ type: 'A' }], old: 1 };
    const to = { phase: 'Running', counts: { done: 2, failed: 0 }, conditions: [{ type: 'B' }] };
    expect(planMergePatch(from, to)).toEqual({ counts: { done: 2 }, conditions: [{ type: 'B' }], old: null });
  });

  test('a null or undefined to be is an absent one', () => {
    expect(planMergePatch({ a: 1 }, { a: null, b: undefined, c: null })).toEqual({ a: null });
    expect(planMergePatch({}, { a: null })).toBeNull();
  });
});
