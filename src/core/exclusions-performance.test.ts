import { describe, expect, it } from 'vitest';
import { compileExclusions } from './exclusions.ts';
import { namesOf, type NamedImage } from './names.ts';

const IMAGES = 10_000;
const PATTERNS = 200;
const ROUNDS = 8;

const hex = (number: number): string => number.toString(16).padStart(64, '0');

function makeImages(): NamedImage[] {
  return Array.from({ length: IMAGES }, (_, i) => {
    const repository = `registry-${i % 7}.example.com:5000/team-${i % 50}/app-${i}`;
    return {
      id: `sha256:${hex(i)}`,
      repoTags: [`${repository}:1.${i % 40}.${i % 9}-alpine`],
      repoDigests: [`${repository}@sha256:${hex(i)}`],
    };
  });
}

/** One of each form in turn; none matches, so that every image meets all that it has to. */
const FORMS: readonly ((i: number) => string)[] = [
  (i) => `ghcr.io/acme-${i}/*`,
  (i) => `nginx-${i}:1.2*`,
  (i) => `registry-${i % 7}.example.com:5000/team-${i}/none-${i}:<1.${i}`,
  (i) => `**/debug-${i}*`,
  (i) => `sha256:${hex(1_000_000 + i)}`,
  (i) => `quay.io/x/app-${i}:v${i}`,
  (i) => `*/pause-${i}:3.*`,
  (i) => `registry-${i % 7}.example.com:5000/**/other-${i}-*`,
];

function cpuMilliseconds(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

describe('compileExclusions', () => {
  it(`matches ${IMAGES} images with ${PATTERNS} patterns in well under 50 ms of CPU`, () => {
    const entries = Array.from({ length: PATTERNS }, (_, i) => FORMS[i % FORMS.length]?.(i) ?? '');
    const compiled = compileExclusions([{ name: 'list', entries }]);
    if (!compiled.ok) throw new Error(JSON.stringify(compiled.errors));
    // The best of some rounds: the first ones compile the code, and others share the machine.
    const rounds = Array.from({ length: ROUNDS }, () => {
      const images = makeImages();
      images.forEach((image) => namesOf(image));
      return cpuMilliseconds(() => {
        expect(images.filter((image) => compiled.exclusions.match(image) !== null)).toEqual([]);
      });
    });
    expect(Math.min(...rounds)).toBeLessThan(50);
  });

  it(`matches ${IMAGES} images with ${PATTERNS} wildcards that no index helps with in less than 250 ms of CPU`, () => {
    const entries = Array.from({ length: PATTERNS }, (_, i) => `**/debug-${i}-*`);
    const compiled = compileExclusions([{ name: 'list', entries }]);
    if (!compiled.ok) throw new Error(JSON.stringify(compiled.errors));
    const images = makeImages();
    const rounds = Array.from({ length: ROUNDS }, () => cpuMilliseconds(() => images.forEach((image) => compiled.exclusions.match(image))));
    expect(Math.min(...rounds)).toBeLessThan(250);
  });
});
