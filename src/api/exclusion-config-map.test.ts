import { describe, expect, test } from 'vitest';
import { parseExclusionConfigMap } from './exclusion-config-map.ts';

const map = (parts: object): object => ({ metadata: { name: 'system', namespace: 'kube-system' }, ...parts });
const list = (...excluded: string[]): string => JSON.stringify({ excluded });

const EXPECTED = 'expected is {"excluded": ["ghcr.io/acme/*"]}';

describe('parseExclusionConfigMap', () => {
  test('every key that ends in .json is a list, in order; the others are not looked at', () => {
    const data = { 'b.json': list('b:1'), 'a.json': list('a:1', 'a:2'), README: 'not JSON' };
    expect(parseExclusionConfigMap(map({ data, binaryData: { logo: 'aGk=' } }))).toEqual({
      ok: true,
      value: [
        { name: 'system/a.json', entries: ['a:1', 'a:2'] },
        { name: 'system/b.json', entries: ['b:1'] },
      ],
    });
  });

  test.each([
    ['no data', {}, [{ path: 'system', message: `has no key that ends in .json; ${EXPECTED} under one` }]],
    [
      'none of its keys',
      { data: { excluded: list('a') } },
      [{ path: 'system', message: `has no key that ends in .json; ${EXPECTED} under one` }],
    ],
    [
      'a list of no text',
      { data: { 'a.json': '' } },
      [{ path: 'system/a.json', message: expect.stringMatching(/^is not JSON: .+; expected is/) as string }],
    ],
    ['no text', { binaryData: { 'a.json': 'gA==' } }, [{ path: 'system/a.json', message: 'is not UTF-8 text' }]],
    ['an entry of another type', { data: { 'a.json': '{"excluded": ["a", 1]}' } }, [{ path: 'system/a.json: excluded[1]' }]],
    [
      'an empty entry',
      { data: { 'a.json': list('a', '') } },
      [{ path: 'system/a.json: excluded[1]', message: `an entry is empty; ${EXPECTED}` }],
    ],
    ['another key', { data: { 'a.json': '{"excluded": [], "exclude": []}' } }, [{ path: 'system/a.json: exclude' }]],
    [
      'the same key twice',
      { data: { 'a.json': '{"excluded": ["a"], "excluded": []}' } },
      [{ path: 'system/a.json', message: `the key "excluded" is there twice; ${EXPECTED}` }],
    ],
    ['data of another type', { data: { 'a.json': 1 } }, [{ path: 'data.a.json' }]],
  ])('%s is an error', (_what, parts, errors) => {
    expect(parseExclusionConfigMap(map(parts))).toMatchObject({ ok: false, errors });
  });

  test('one bad list makes all of them unreadable, and each fault is told', () => {
    const parsed = parseExclusionConfigMap(map({ data: { 'a.json': '{', 'b.json': list('b'), 'c.json': '[]' } }));
    expect(parsed).toMatchObject({
      ok: false,
      errors: [{ path: 'system/a.json', message: expect.stringMatching(/^is not JSON: ./) as unknown }, { path: 'system/c.json' }],
    });
  });
});
