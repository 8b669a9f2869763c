import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { findDuplicateKey } from './find-duplicate-key.ts';

describe('findDuplicateKey', () => {
  test.each([
    ['{"a": 1, "a": 2}', 'a'],
    ['{"excluded": ["x"], "\\u0065xcluded": []}', 'excluded'],
    ['[{"a": 1}, {"b": {"c": [], "c": 1}}]', 'c'],
    ['{"a\\"": "}", "a\\u0022": "{"}', 'a"'],
  ])('%s: %s', (json, key) => {
    expect(JSON.parse(json)).toBeDefined();
    expect(findDuplicateKey(json)).toBe(key);
  });

  test.each(['{"a": {"a": "a"}, "b": [{"a": 1}, {"a": 1}]}', '{"a": "\\"a\\": ", "b": "{\\\\"}', '"a"', '[]', '{"": {}}'])(
    '%s has none',
    (json) => expect(findDuplicateKey(json)).toBeNull(),
  );

  test('none in what JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(0, 2), (value, indent) => findDuplicateKey(JSON.stringify(value, null, indent)) === null),
    );
  });
});
