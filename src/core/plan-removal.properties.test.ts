import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { container, exclusionsOf, finding, image, imageId, imageListOf, inventory, planInput, report } from '../../test/fakes/images.ts';
import type { NodeContainer, NodeImage } from '../api/inventory.ts';
import { DEFAULT_SCAN_POLICY } from '../api/scan-policy.ts';
import { SEVERITIES, type ScanResult } from '../api/scan-report.ts';
import type { PlanInput } from './plan-facts.ts';
import { planRemoval, removals, type RemovalPlan } from './plan-removal.ts';

/** Properties of the whole chain, over nodes of up to eight images with few names, so that names, layers and users collide often. */

const REPOSITORIES = [
  'docker.io/library/nginx',
  'docker.io/library/nginx-foo',
  'ghcr.io/acme/app',
  'ghcr.io/acme/tools/app',
  'host:5000/x',
  'registry.k8s.io/pause',
];
const PATTERNS = [
  'nginx',
  'nginx:*',
  'ghcr.io/acme/*',
  'ghcr.io/*',
  'host:5000/x:*',
  '*/pause:3',
  'nginx:<2',
  imageId(3),
  'ghcr.io/acme/app:1',
  '**',
];
const NOW = Date.UTC(2026, 10, 1);
const HOUR = 3_600_000;

const tag = fc.tuple(fc.constantFrom(...REPOSITORIES), fc.constantFrom('1', '2', 'latest')).map(([name, version]) => `${name}:${version}`);
const number = fc.integer({ min: 1, max: 8 });
const imageArbitrary: fc.Arbitrary<NodeImage> = fc
  .record({ number, repoTags: fc.uniqueArray(tag, { maxLength: 2 }), pinned: fc.boolean(), sizeBytes: fc.integer({ min: 1, max: 100 }) })
  .map(({ number: at, ...fields }) => image(at, fields));
const reference = fc.oneof(tag, number.map(imageId), fc.constantFrom('nginx', 'sha256:not-an-id', ''));
const containerArbitrary: fc.Arbitrary<NodeContainer> = fc
  .record({
    number,
    references: fc.uniqueArray(reference, { minLength: 1, maxLength: 2 }),
    volumes: fc.uniqueArray(reference, { maxLength: 1 }),
    state: fc.constantFrom('created' as const, 'running' as const, 'exited' as const, 'unknown' as const),
  })
  .map(({ number: at, references, volumes, state }) => container(at, references, { volumeImageReferences: volumes, state }));

const resultArbitrary = (id: string): fc.Arbitrary<ScanResult> =>
  fc.oneof(
    fc.constant<ScanResult>({ kind: 'unscanned', reason: 'timeout', message: 'too slow' }),
    fc.constant<ScanResult>({ kind: 'unscannable', error: 'broken' }),
    fc
      .record({ severities: fc.array(fc.constantFrom(...SEVERITIES), { maxLength: 3 }), endOfLife: fc.boolean() })
      .map(({ severities, endOfLife }): ScanResult => {
        const findings = severities.map((severity, at) => finding({ severity, id: `CVE-2026-${String(at)}` }));
        return { kind: 'scanned', report: report(image(1, { id }), { findings, os: { family: 'alpine', name: '3', endOfLife } }) };
      }),
  );

const historyArbitrary = fc.record({
  firstSeenAt: fc.integer({ min: -10, max: 1 }).map((hours) => NOW + hours * HOUR),
  lastInUseAt: fc.option(fc.integer({ min: -10, max: 1 }).map((hours) => NOW + hours * HOUR)),
});

/** A part of the ids 1 to 8, each with a value. */
function mapOf<T>(value: (id: string) => fc.Arbitrary<T>): fc.Arbitrary<Map<string, T>> {
  const entries = [1, 2, 3, 4, 5, 6, 7, 8].map((at) => fc.option(value(imageId(at))));
  return fc.tuple(...entries).map((values) => {
    const present = values.map((found, at) => [imageId(at + 1), found] as const);
    return new Map(present.filter((entry): entry is readonly [string, T & NonNullable<unknown>] => entry[1] !== null));
  });
}

interface Situation {
  readonly input: PlanInput;
  readonly patterns: readonly string[];
}

const situation: fc.Arbitrary<Situation> = fc
  .record({
    images: fc.uniqueArray(imageArbitrary, { maxLength: 8, selector: ({ id }) => id }),
    containers: fc.array(containerArbitrary, { maxLength: 3 }),
    sandboxImageReferences: fc.option(fc.array(tag, { maxLength: 1 })),
    pendingPods: fc.array(
      fc.record({ namespace: fc.constant('n'), name: fc.constant('p'), imageReferences: fc.array(reference, { maxLength: 2 }) }),
      { maxLength: 1 },
    ),
    patterns: fc.subarray(PATTERNS, { maxLength: 2 }),
    entries: fc.option(fc.uniqueArray(fc.oneof(tag, number.map(imageId), fc.constant('*')), { minLength: 1, maxLength: 3 })),
    protections: fc.array(
      fc.record({
        object: fc.constant({ kind: 'CronJob', namespace: 'n', name: 'c' }),
        imageReferences: fc.array(reference, { maxLength: 2 }),
      }),
      { maxLength: 1 },
    ),
    minAgeMs: fc.constantFrom(0, 0, 2 * HOUR),
    maxAgeMs: fc.constantFrom(null, null, 5 * HOUR),
    histories: mapOf(() => historyArbitrary),
    results: fc.option(mapOf(resultArbitrary)),
    disk: fc.option(
      fc.record({
        usedBytes: fc.integer({ min: 0, max: 800 }),
        highBytes: fc.integer({ min: 200, max: 800 }),
        span: fc.integer({ min: 0, max: 200 }),
      }),
    ),
    layers: mapOf(() => fc.uniqueArray(fc.integer({ min: 1, max: 12 }), { maxLength: 4 })),
  })
  .map((made) => ({
    patterns: made.patterns,
    input: planInput([], {
      inventory: inventory(made.images, { containers: made.containers, sandboxImageReferences: made.sandboxImageReferences }),
      pendingPods: made.pendingPods,
      exclusions: exclusionsOf(...made.patterns),
      imageList: made.entries === null ? null : imageListOf(...made.entries),
      protections: made.protections,
      minAgeMs: made.minAgeMs,
      maxAgeMs: made.maxAgeMs,
      histories: made.histories,
      diskThresholds:
        made.disk === null
          ? null
          : { usedBytes: made.disk.usedBytes, highBytes: made.disk.highBytes, lowBytes: made.disk.highBytes - made.disk.span },
      scan: made.results === null ? null : { policy: DEFAULT_SCAN_POLICY, results: made.results },
      storage: new Map(
        [...made.layers].map(([id, layers]) => [id, layers.map((layer) => ({ key: `layer-${String(layer)}`, bytes: layer * 7 }))]),
      ),
      now: NOW,
    }),
  }));

function removedIds(plan: RemovalPlan): Set<string> {
  return new Set(removals(plan.decisions).map(({ image: { id } }) => id));
}

function check(property: (made: Situation) => void): void {
  fc.assert(fc.property(situation, property), { numRuns: 1000 });
}

describe('whatever else holds', () => {
  test('an image that a container names by its id or one of its tags is never removed', () => {
    check(({ input }) => {
      const removed = removedIds(planRemoval(input));
      const { containers, images } = input.inventory;
      const references = new Set([
        ...containers.flatMap((user) => [...user.imageReferences, ...user.volumeImageReferences]),
        ...input.pendingPods.flatMap(({ imageReferences }) => imageReferences),
      ]);
      for (const { id, repoTags } of images) {
        if (references.has(id) || repoTags.some((name) => references.has(name))) expect(removed).not.toContain(id);
      }
    });
  });

  test('a pinned image is never removed, nor the sandbox image, nor any */pause where that cannot be told', () => {
    check(({ input }) => {
      const removed = removedIds(planRemoval(input));
      const { images, sandboxImageReferences } = input.inventory;
      for (const { id, pinned, repoTags } of images) {
        const sandbox =
          sandboxImageReferences === null
            ? repoTags.some((name) => name.includes('/pause:'))
            : repoTags.some((name) => sandboxImageReferences.includes(name));
        if (pinned || sandbox) expect(removed).not.toContain(id);
      }
    });
  });

  test('an excluded image is never removed', () => {
    check(({ input }) => {
      const removed = removedIds(planRemoval(input));
      for (const candidate of input.inventory.images) {
        if (input.exclusions.match(candidate) !== null) expect(removed).not.toContain(candidate.id);
      }
    });
  });
});

test('without a verdict nothing goes for being vulnerable, at its end of life or unscannable', () => {
  check(({ input }) => {
    for (const {
      image: { id },
      reason,
    } of removals(planRemoval(input).decisions)) {
      if (!['vulnerable', 'end-of-life', 'unscannable'].includes(reason.code)) continue;
      const result = input.scan?.results.get(id);
      expect(result?.kind).toBe(reason.code === 'unscannable' ? 'unscannable' : 'scanned');
    }
  });
});

test('with the scanner on and no result at all, only a list, an age or the disk removes', () => {
  check(({ input }) => {
    const plan = planRemoval({ ...input, scan: { policy: DEFAULT_SCAN_POLICY, results: new Map() } });
    for (const { reason } of removals(plan.decisions)) expect(['listed', 'expired', 'disk-pressure']).toContain(reason.code);
  });
});

test('every image gets exactly one decision', () => {
  check(({ input }) => {
    const decided = planRemoval(input).decisions.map(({ image: { id } }) => id);
    expect(decided.toSorted()).toEqual(input.inventory.images.map(({ id }) => id).toSorted());
  });
});

test('the order of the input changes nothing', () => {
  check(({ input }) => {
    const { inventory: given } = input;
    const reversed = { ...given, images: given.images.toReversed(), containers: given.containers.toReversed() };
    const outcomes = (plan: RemovalPlan): object[] =>
      plan.decisions.map((decision) => ({ ...decision, reason: { ...decision.reason, users: undefined, objects: undefined } }));
    expect(outcomes(planRemoval({ ...input, inventory: reversed }))).toEqual(outcomes(planRemoval(input)));
  });
});

test('planning again after the plan was carried out removes nothing', () => {
  check(({ input }) => {
    const first = planRemoval(input);
    const removed = removedIds(first);
    const { diskThresholds } = input;
    const again = planRemoval({
      ...input,
      inventory: { ...input.inventory, images: input.inventory.images.filter(({ id }) => !removed.has(id)) },
      diskThresholds: diskThresholds === null ? null : { ...diskThresholds, usedBytes: diskThresholds.usedBytes - first.estimatedBytes },
    });
    expect(removedIds(again)).toEqual(new Set());
  });
});

test('one more exclusion never makes another image go (the disk rule apart)', () => {
  fc.assert(
    fc.property(situation, fc.constantFrom(...PATTERNS), ({ input, patterns }, another) => {
      const before = removedIds(planRemoval({ ...input, diskThresholds: null }));
      const after = removedIds(planRemoval({ ...input, diskThresholds: null, exclusions: exclusionsOf(...patterns, another) }));
      expect([...after].filter((id) => !before.has(id))).toEqual([]);
    }),
    { numRuns: 1000 },
  );
});

test('the estimate of a plan is what its images occupy and no image that stays shares', () => {
  check(({ input }) => {
    const plan = planRemoval(input);
    const removed = removedIds(plan);
    const units = (keep: boolean): Map<string, number> =>
      new Map(
        input.inventory.images
          .filter(({ id }) => removed.has(id) !== keep)
          .flatMap(({ id, sizeBytes }) => input.storage.get(id) ?? [{ key: id, bytes: sizeBytes }])
          .map(({ key, bytes }) => [key, bytes]),
      );
    const kept = units(true);
    const freed = [...units(false)].filter(([key]) => !kept.has(key)).reduce((sum, [, bytes]) => sum + bytes, 0);
    expect(plan.estimatedBytes).toBe(freed);
  });
});
