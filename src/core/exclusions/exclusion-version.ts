import semver from 'semver';
import { effectiveTag } from '../names.ts';
import { quote, type ImageReference } from '../reference.ts';

/** Whether a version is in the range. */
export type VersionRange = (version: semver.SemVer) => boolean;

export type ParsedVersionRange = { readonly ok: true; readonly range: VersionRange } | { readonly ok: false; readonly message: string };

const OPTIONS = { includePrerelease: true } as const;
const RANGE_FORMS =
  'ranges are written as in "<1.25", ">=1.20 <1.25", "^2.1", "~1.4", "=1.2.3" and, with a pre-release, "<1.25.0-rc.1"; "||" is or';

/** A tag part with one of these is a range; none of them is allowed in a tag or in a glob. */
export function isVersionRange(text: string): boolean {
  return /[<>=^~|\s]/.test(text);
}

/** Parses a range of tags by the rules of npm (semver); pre-releases count by their order, not only next to a pre-release. */
export function parseVersionRange(text: string): ParsedVersionRange {
  const { plain, variants } = readPrereleases(text);
  const [variant] = variants;
  if (variant !== undefined) return refuse(text, `${quote(variant)} is no pre-release, and a range leaves out variants such as "-alpine"`);
  // An empty alternative, and `>*`, would be valid: every version, and none.
  const isComplete = text.split('||').every((alternative) => /\d/.test(alternative));
  if (!isComplete || semver.validRange(plain, OPTIONS) === null) return refuse(text, RANGE_FORMS);
  const range = new semver.Range(plain, OPTIONS);
  if (semver.minVersion(range) === null) return refuse(text, 'there is no version in it');
  return { ok: true, range: compileRange(range) };
}

function refuse(text: string, why: string): ParsedVersionRange {
  return { ok: false, message: `the range of tags ${quote(text)} is not valid: ${why}` };
}

/** What `Range.test` does, which parses each limit anew every time. */
function compileRange({ set: alternatives }: semver.Range): VersionRange {
  return (version) => alternatives.some((limits) => limits.every((limit) => isWithin(version, limit)));
}

function isWithin(version: semver.SemVer, limit: semver.Comparator): boolean {
  // How semver writes "any", for one `>=0`; there is no version in it then.
  if (limit.value === '') return true;
  const order = version.compare(limit.semver);
  switch (limit.operator) {
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    case '>=':
      return order >= 0;
    case '=':
    case '':
      return order === 0;
  }
}

/**
 * Writes pre-releases as `parseTagVersion` does (`-0`, which is lower than all others, as npm does), and tells which suffixes are none.
 */
function readPrereleases(text: string): { readonly plain: string; readonly variants: readonly string[] } {
  const variants: string[] = [];
  const plain = text.replaceAll(/(\d+\.\d+\.\d+)-([\w.-]+)/g, (_whole, numbers: string, suffix: string) => {
    const prerelease = suffix === '0' ? suffix : parsePrerelease(suffix.split(/[-._]/));
    if (prerelease === null) variants.push(`-${suffix}`);
    return `${numbers}-${prerelease ?? ''}`;
  });
  return { plain, variants };
}

const versions = new WeakMap<ImageReference, semver.SemVer | null>();

export function isInRange(reference: ImageReference, range: VersionRange): boolean {
  let version = versions.get(reference);
  if (version === undefined) {
    const tag = effectiveTag(reference);
    version = tag === null ? null : parseTagVersion(tag);
    versions.set(reference, version);
  }
  return version !== null && range(version);
}

/** Up to 15 digits are exact in a number, and more are a date with a time or a hash rather than a version. */
const TAG_VERSION = /^v?(\d{1,15})(?:\.(\d{1,15}))?(?:\.(\d{1,15}))?(.*)$/;

/**
 * The version that a tag names, null: none. An optional `v`, one to three numbers, then a suffix: `-rc.1`, `-rc1`, `rc1` are pre-releases;
 * all others (`-alpine`, `-slim-bookworm`, `-1`, a fourth number) are variants of the same version. Letters right after a single number
 * are no version unless they say pre-release: `7e2a9f1` is a commit.
 */
export function parseTagVersion(tag: string): semver.SemVer | null {
  const match = TAG_VERSION.exec(tag);
  if (match === null) return null;
  const [, major = '', minor, patch, suffix = ''] = match;
  if (/^\d/.test(suffix)) return null;
  const isAttached = /^[a-z]/i.test(suffix);
  const prerelease = parsePrerelease(suffix.split(/[-._]/).slice(isAttached ? 0 : 1), isAttached && minor !== undefined);
  if (isAttached && minor === undefined && prerelease === null) return null;
  const numbers = [major, minor ?? '0', patch ?? '0'].map(Number).join('.');
  return semver.parse(prerelease === null ? numbers : `${numbers}-${prerelease}`);
}

/** `m1` is a milestone; `a1` and `b1`, right after the numbers, are Python's alpha and beta (PEP 440). */
const PRERELEASE = /^(alpha|beta|rc|pre|preview|dev|snapshot|canary|nightly|m(?=\d))(\d{0,15})$/;
const PYTHON_PRERELEASE = /^(a|b)(\d{1,15})$/;
const PYTHON_WORDS = new Map([
  ['a', 'alpha'],
  ['b', 'beta'],
]);

/** `rc.1` of the parts `rc1` or `rc`, `1`: the number by itself, as semver orders only whole parts by number. null: no pre-release. */
function parsePrerelease(parts: readonly string[], allowsPython = false): string | null {
  const [first = '', second = ''] = parts;
  const word = first.toLowerCase();
  const match = PRERELEASE.exec(word) ?? (allowsPython ? PYTHON_PRERELEASE.exec(word) : null);
  if (match === null) return null;
  const [, name = '', digits = ''] = match;
  const number = digits === '' && /^\d{1,15}$/.test(second) ? second : digits;
  const fullName = PYTHON_WORDS.get(name) ?? name;
  return number === '' ? fullName : `${fullName}.${Number(number)}`;
}
