import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileComponents, compileGlob } from './exclusion-glob.ts';

/** The same by a regular expression, for short texts, where its backtracking does no harm. */
function asRegExp(pattern: string, anything: string, one: string): RegExp {
  const escaped = pattern.replaceAll('.', '\\.').replaceAll('?', one);
  return new RegExp(`^${escaped.replaceAll(/\*+/g, anything)}$`);
}

describe('compileGlob', () => {
  it.each([
    ['1.2*', '1.25', true],
    ['1.2*', '1.2', true],
    ['1.2*', '1.3', false],
    ['*-debug', 'v1-debug', true],
    ['v?', 'v1', true],
    ['v?', 'v', false],
    ['v?', 'v10', false],
    ['a*b*c', 'a-b-b-c', true],
    ['ab*ba', 'aba', false],
    ['a.b', 'axb', false],
    ['?*', '', false],
  ])('%s and %s: %s', (pattern, text, matches) => {
    expect(compileGlob(pattern)(text)).toBe(matches);
  });

  it('agrees with a regular expression', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[ab.*?]{0,8}$/), fc.stringMatching(/^[ab.]{0,10}$/), (pattern, text) => {
        expect(compileGlob(pattern)(text)).toBe(asRegExp(pattern, '.*', '.').test(text));
      }),
      { numRuns: 2_000 },
    );
  });

  it('does not backtrack without bound', () => {
    const started = performance.now();
    for (const end of ['b', '?b', '*b', '']) {
      const glob = compileGlob(`${'*a'.repeat(500)}*c${end}`);
      for (const text of ['a'.repeat(4096), `${'a'.repeat(4095)}b`]) expect(glob(text)).toBe(false);
    }
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});

describe('compileComponents', () => {
  const matches = (pattern: string, name: string): boolean => compileComponents(pattern.split('/'))(name.split('/'));

  it.each([
    ['*/pause', 'registry.k8s.io/pause', true],
    ['*/pause', 'mcr.microsoft.com/oss/pause', false],
    ['**/pause', 'mcr.microsoft.com/oss/pause', true],
    ['ghcr.io/**/app', 'ghcr.io/app', true],
    ['ghcr.io/**/app', 'ghcr.io/a/b/app', true],
    ['ghcr.io/**/app', 'ghcr.io/a/b/application', false],
    ['**/a/**/b', 'x/a/y/z/b', true],
    ['**/a/**/b', 'x/b/a', false],
    ['a/**/a', 'a', false],
    ['a/*/**', 'a', false],
    ['a/*/**', 'a/b/c', true],
  ])('%s and %s: %s', (pattern, name, expected) => {
    expect(matches(pattern, name)).toBe(expected);
  });

  it('agrees with a regular expression', () => {
    const component = fc.constantFrom('a', 'b', 'ab', 'a*', '?', '*', '**');
    const name = fc.array(fc.constantFrom('a', 'b', 'ab', 'ba'), { minLength: 1, maxLength: 6 });
    const toRegExp = (components: readonly string[]): RegExp =>
      new RegExp(
        `^${components.map((text) => (text === '**' ? '(?:[^/]+/)*' : `${asRegExp(text, '[^/]*', '[^/]').source.slice(1, -1)}/`)).join('')}$`,
      );
    fc.assert(
      fc.property(fc.array(component, { minLength: 1, maxLength: 6 }), name, (pattern, components) => {
        expect(compileComponents(pattern)(components)).toBe(toRegExp(pattern).test(`${components.join('/')}/`));
      }),
      { numRuns: 2_000 },
    );
  });

  it('does not backtrack without bound', () => {
    const started = performance.now();
    const pattern = `${'**/a/'.repeat(60)}**/c`;
    expect(matches(pattern, 'a/'.repeat(500) + 'b')).toBe(false);
    expect(matches(`${'**/*a*a/'.repeat(30)}**/c/**/*`, `${'aaaa/'.repeat(200)}b`)).toBe(false);
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});
