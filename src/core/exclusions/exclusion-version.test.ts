import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import semver from 'semver';
import { parseTagVersion, parseVersionRange } from './exclusion-version.ts';

describe('parseTagVersion', () => {
  it.each([
    ['1', '1.0.0'],
    ['v1.25', '1.25.0'],
    ['1.25.3', '1.25.3'],
    ['1.25.3-alpine', '1.25.3'],
    ['1.25-slim-bookworm', '1.25.0'],
    ['3.19alpine', '3.19.0'],
    ['1.2.3.4', '1.2.3'],
    ['1.2.3-1', '1.2.3'],
    ['1.2.3_build', '1.2.3'],
    ['2024.01.02', '2024.1.2'],
    ['1.25.0-rc1', '1.25.0-rc.1'],
    ['1.25.0-rc.1', '1.25.0-rc.1'],
    ['1.25rc2-slim', '1.25.0-rc.2'],
    ['2.0.0-RC1', '2.0.0-rc.1'],
    ['2.0-M1', '2.0.0-m.1'],
    ['3.13.0a1', '3.13.0-alpha.1'],
    ['3.13.0b2-alpine', '3.13.0-beta.2'],
    ['1.0-SNAPSHOT', '1.0.0-snapshot'],
    ['1.0.0-beta', '1.0.0-beta'],
    ['1.0.0-nightly-20240101', '1.0.0-nightly.20240101'],
    ['9-preview', '9.0.0-preview'],
    ['v1.2.0-alpha.0', '1.2.0-alpha.0'],
  ])('%s is %s', (tag, version) => {
    expect(parseTagVersion(tag)?.version).toBe(version);
  });

  it.each(['latest', 'stable-1.2', 'v', '7e2a9f1', '1234567890123456', 'release-1.2', '_1', '-1'])('%s is no version', (tag) => {
    expect(parseTagVersion(tag)).toBeNull();
  });

  it('never throws, and finds no version where there is no digit', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.stringMatching(/^v?[0-9]{0,20}[.\w-]{0,40}$/)),
        (tag) => /\d/.test(tag) || parseTagVersion(tag) === null,
      ),
    );
  });
});

describe('parseVersionRange', () => {
  function isIn(tag: string, text: string): boolean {
    const parsed = parseVersionRange(text);
    const version = parseTagVersion(tag);
    if (!parsed.ok || version === null) throw new Error(`${text}, ${tag}`);
    return parsed.range(version);
  }

  it.each([
    ['<1.25', '1.24.9', true],
    ['<1.25', '1.25.0', false],
    ['<1.25', '1.25.0-rc.1', false],
    ['<1.25.0', '1.25.0-rc.1', true],
    ['>=1.25', '1.25.0-rc.1', true],
    ['>=1.20 <1.25', '1.20', true],
    ['>=1.20 <1.25', 'v1.24.1-alpine', true],
    ['>=1.20 <1.25', '1.19.9', false],
    ['^2.1', '2.9.0', true],
    ['^2.1', '3.0.0', false],
    ['^2.1', '3.0.0-rc1', false],
    ['~1.4', '1.4.7', true],
    ['~1.4', '1.5', false],
    ['=1.2.3', '1.2.3-slim', true],
    ['=1.2.3', '1.2.3-rc1', false],
    ['=1.2', '1.2.9', true],
    ['=1.25.0-rc1', '1.25.0-rc.1', true],
    ['<1.25.0-rc10', '1.25.0-rc2', true],
    ['<1 || >=3', '3.1', true],
    ['<1 || >=3', '2', false],
    ['1.20 - 1.22', '1.22.5', true],
    ['>=0', '0.0.1-alpha', true],
    ['> 1.2', '1.3', true],
    ['>=1.2.3', '1.2.3', true],
    ['<=1.2.3', '1.2.3', true],
    ['>1.2.3', '1.2.3', false],
    ['<1.2.3', '1.2.3', false],
  ])('%s and %s: %s', (range, tag, expected) => {
    expect(isIn(tag, range)).toBe(expected);
  });

  it.each(['<', '>=latest', '<1.x.y', '1 ||', '|| 1', '>*', '>=1.20, <1.25', '=1.02', '<1.25-rc1', '~', '<1.2.3.4'])(
    'refuses %j with examples',
    (text) => {
      expect(parseVersionRange(text)).toMatchObject({ ok: false, message: expect.stringContaining('">=1.20 <1.25"') as string });
    },
  );

  it('refuses a variant and a range without a version, and says why', () => {
    expect(parseVersionRange('<1.25.3-alpine')).toMatchObject({
      ok: false,
      message: expect.stringContaining('"-alpine" is no pre-release') as string,
    });
    expect(parseVersionRange('>2 <1')).toMatchObject({ ok: false, message: expect.stringContaining('no version in it') as string });
  });

  it('agrees with semver', () => {
    const number = fc.nat(3);
    const version = fc
      .tuple(number, number, number, fc.constantFrom('', '-rc.1', '-alpha', '-beta.2'))
      .map(([a, b, c, pre]) => `${a}.${b}.${c}${pre}`);
    const partial = fc.oneof(
      version,
      fc.tuple(number, number).map((parts) => parts.join('.')),
      number.map(String),
    );
    const comparator = fc.tuple(fc.constantFrom('<', '<=', '>', '>=', '=', '^', '~'), partial).map((parts) => parts.join(''));
    const range = fc.array(
      fc.array(comparator, { minLength: 1, maxLength: 3 }).map((all) => all.join(' ')),
      { minLength: 1, maxLength: 2 },
    );
    fc.assert(
      fc.property(range, version, (alternatives, tag) => {
        const text = alternatives.join(' || ');
        const parsed = parseVersionRange(text);
        const parsedTag = parseTagVersion(tag);
        if (!parsed.ok || parsedTag === null) return;
        expect(parsed.range(parsedTag)).toBe(semver.satisfies(tag, text, { includePrerelease: true }));
      }),
      { numRuns: 1_000 },
    );
  });

  it('never throws', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.stringMatching(/^[<>=^~|v. 0-9x*a-z-]{0,30}$/)),
        (text) => typeof parseVersionRange(text).ok === 'boolean',
      ),
    );
  });
});
