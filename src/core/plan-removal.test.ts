import { describe, expect, test } from 'vitest';
import {
  container,
  digest,
  exclusionsOf,
  finding,
  image,
  imageId,
  imageListOf,
  inventory,
  planInput,
  report,
} from '../../test/fakes/images.ts';
import type { Decision } from '../api/decision.ts';
import type { NodeImage } from '../api/inventory.ts';
import { DEFAULT_SCAN_POLICY, type ScanPolicy } from '../api/scan-policy.ts';
import type { ScanResult } from '../api/scan-report.ts';
import type { PlanInput } from './plan-facts.ts';
import { imagesToScan, planRemoval } from './plan-removal.ts';

const HOUR = 3_600_000;

function decide(images: readonly NodeImage[], fields: Partial<PlanInput> = {}): Decision[] {
  return [...planRemoval(planInput(images, fields)).decisions];
}

/** The reason codes, in order of image id. */
function codes(images: readonly NodeImage[], fields: Partial<PlanInput> = {}): string[] {
  return decide(images, fields).map(({ outcome, reason }) => `${outcome} ${reason.code}`);
}

function scanned(results: readonly (readonly [NodeImage, ScanResult])[], policy: Partial<ScanPolicy> = {}): PlanInput['scan'] {
  return { policy: { ...DEFAULT_SCAN_POLICY, ...policy }, results: new Map(results.map(([{ id }, result]) => [id, result])) };
}

const one = image(1);
const two = image(2);

describe('rule 1, in use', () => {
  const use = (reference: string, extra: Partial<NodeImage> = {}): string[] =>
    codes([image(1, extra)], { inventory: inventory([image(1, extra)], { containers: [container(1, [reference])] }) });

  test.each([
    ['id', imageId(1)],
    ['id without sha256:', imageId(1).slice(7)],
    ['tag in normal form', 'docker.io/library/image-1:1'],
    ['tag as a person writes it', 'image-1:1'],
  ])('keeps an image that a container names by %s', (_way, reference) => {
    expect(use(reference)).toEqual(['keep in-use']);
  });

  test('keeps an image that a container names by repository digest, and by tag and digest', () => {
    const repoDigests = [`ghcr.io/acme/app@${digest(1)}`];
    expect(use(`ghcr.io/acme/app@${digest(1)}`, { repoDigests })).toEqual(['keep in-use']);
    expect(use(`ghcr.io/acme/app:2@${digest(1)}`, { repoDigests })).toEqual(['keep in-use']);
    expect(use(digest(1), { repoDigests })).toEqual(['keep in-use']);
  });

  test.each(['created', 'running', 'exited', 'unknown'] as const)('keeps the image of a container that is %s', (state) => {
    expect(codes([one, two], { inventory: inventory([one, two], { containers: [container(1, [one.id], { state })] }) })).toEqual([
      'keep in-use',
      'remove unused',
    ]);
  });

  test('keeps an image that a container mounts as a volume', () => {
    const containers = [container(1, [one.id], { volumeImageReferences: ['image-2:1'] })];
    expect(codes([one, two], { inventory: inventory([one, two], { containers }) })).toEqual(['keep in-use', 'keep in-use']);
  });

  test('keeps an image that a pod bound to the node is about to use', () => {
    const pendingPods = [{ namespace: 'shop', name: 'cart', imageReferences: ['image-2:1'] }];
    expect(codes([one, two], { pendingPods })).toEqual(['remove unused', 'keep in-use']);
  });

  test('keeps the old and the new image of a tag that moved since the container started', () => {
    const old = image(1, { repoTags: [] });
    const moved = image(2, { repoTags: ['docker.io/library/web:latest'] });
    const containers = [container(1, ['web:latest', old.id])];
    expect(codes([old, moved], { inventory: inventory([old, moved], { containers }) })).toEqual(['keep in-use', 'keep in-use']);
  });

  test('keeps every image of the repository when a container resolves to no image, and reports the container', () => {
    const images = [image(1, { repoTags: ['ghcr.io/acme/app:1'] }), image(2, { repoTags: ['ghcr.io/acme/app:2'] }), image(3)];
    const containers = [container(1, ['ghcr.io/acme/app:3', imageId(99)])];
    const plan = planRemoval(planInput(images, { inventory: inventory(images, { containers }) }));
    expect(plan.decisions.map(({ outcome }) => outcome)).toEqual(['keep', 'keep', 'remove']);
    expect(plan.unresolvedContainers).toEqual(containers);
  });
});

describe('rule 2, pinned', () => {
  const pause = image(1, { repoTags: ['registry.k8s.io/pause:3.10'] });

  test('keeps an image that the runtime has pinned', () => {
    expect(codes([image(1, { pinned: true })])).toEqual(['keep pinned']);
  });

  test('keeps the image that the runtime names as its sandbox image, and no other pause', () => {
    const other = image(2, { repoTags: ['ghcr.io/acme/pause:1'] });
    const told = inventory([pause, other], { sandboxImageReferences: ['registry.k8s.io/pause:3.10'] });
    expect(codes([], { inventory: told })).toEqual(['keep pinned', 'remove unused']);
  });

  test('keeps every */pause where the runtime does not name its sandbox image', () => {
    const other = image(2, { repoTags: [], repoDigests: [`mcr.microsoft.com/oss/kubernetes/pause@${digest(2)}`] });
    const untold = inventory([pause, other, image(3, { repoTags: ['ghcr.io/acme/notpause:1'] })], { sandboxImageReferences: null });
    expect(codes([], { inventory: untold })).toEqual(['keep pinned', 'keep pinned', 'remove unused']);
  });

  test('keeps every */pause when the runtime names a sandbox image that is not on the node', () => {
    const told = inventory([pause], { sandboxImageReferences: ['registry.k8s.io/pause:3.9'] });
    expect(codes([], { inventory: told })).toEqual(['keep pinned']);
  });

  test('keeps an image that is pinned under one of its two listings', () => {
    expect(codes([image(1), image(1, { pinned: true, repoTags: ['x/y:2'] })])).toEqual(['keep pinned']);
  });
});

describe('rule 3, excluded', () => {
  test('keeps an excluded image and cites the list and the entry', () => {
    const [decision] = decide([one], { exclusions: exclusionsOf('nginx', 'image-1:*') });
    expect(decision).toMatchObject({ outcome: 'keep', reason: { code: 'excluded', list: 'test', entry: 'image-1:*' } });
  });

  test('an entry holds by the names of every listing of the image', () => {
    const listings = [
      image(1),
      image(1, { repoTags: ['ghcr.io/acme/app:1'] }),
      image(1, { repoTags: [], repoDigests: [`quay.io/acme/app@${digest(1)}`] }),
    ];
    expect(codes(listings, { exclusions: exclusionsOf('ghcr.io/acme/*') })).toEqual(['keep excluded']);
    expect(codes(listings, { exclusions: exclusionsOf('quay.io/acme/*') })).toEqual(['keep excluded']);
  });

  test('an entry by digest holds against a manual list that names the tag', () => {
    const tagged = image(1, { repoDigests: [`docker.io/library/image-1@${digest(1)}`] });
    const fields = { exclusions: exclusionsOf(digest(1)), imageList: imageListOf('image-1:1') };
    expect(codes([tagged], fields)).toEqual(['keep excluded']);
  });
});

describe('rule 4, manual list', () => {
  test('removes what is listed, by any of its names, and keeps the rest', () => {
    const twoTags = image(3, { repoTags: ['docker.io/library/a:1', 'docker.io/library/b:1'] });
    const decisions = decide([one, two, twoTags], { imageList: imageListOf('b:1', imageId(1)) });
    expect(decisions.map(({ reason }) => reason)).toEqual([
      { code: 'listed', entry: imageId(1) },
      { code: 'not-listed' },
      { code: 'listed', entry: 'b:1' },
    ]);
  });

  test('"*" lists every image, yet one in use stays', () => {
    const containers = [container(1, [one.id])];
    expect(codes([], { inventory: inventory([one, two], { containers }), imageList: imageListOf('*') })).toEqual([
      'keep in-use',
      'remove listed',
    ]);
  });

  test('a manual run asks for no scan', () => {
    const plan = planRemoval(planInput([one, two], { imageList: imageListOf('image-1:1'), scan: scanned([]) }));
    expect(imagesToScan(plan)).toEqual([]);
  });
});

describe('rule 5, protected', () => {
  test('keeps an image that a workload refers to, with the object', () => {
    const object = { kind: 'CronJob', namespace: 'shop', name: 'nightly' };
    const [decision] = decide([one], { protections: [{ object, imageReferences: ['image-1:1'] }] });
    expect(decision).toMatchObject({ outcome: 'keep', reason: { code: 'protected', objects: [object] } });
  });
});

describe('rules 6 and 7, age', () => {
  const { now } = planInput([]);
  const seen = (hoursAgo: number, inUseHoursAgo: number | null = null): PlanInput['histories'] =>
    new Map([[one.id, { firstSeenAt: now - hoursAgo * HOUR, lastInUseAt: inUseHoursAgo === null ? null : now - inUseHoursAgo * HOUR }]]);

  test('keeps an image that is younger than the least age, of unknown age, or from the future', () => {
    expect(codes([one], { minAgeMs: 2 * HOUR, histories: seen(1) })).toEqual(['keep too-young']);
    expect(codes([one], { minAgeMs: 2 * HOUR })).toEqual(['keep too-young']);
    expect(codes([one], { minAgeMs: 2 * HOUR, histories: seen(-5) })).toEqual(['keep too-young']);
    expect(codes([one], { minAgeMs: 2 * HOUR, histories: seen(2) })).toEqual(['remove unused']);
  });

  test('removes what is unused for longer than the greatest age, counted from its last use, else from when it was first seen', () => {
    expect(codes([one], { maxAgeMs: 24 * HOUR, histories: seen(25) })).toEqual(['remove expired']);
    expect(codes([one], { maxAgeMs: 24 * HOUR, histories: seen(100, 23) })).toEqual(['keep compliant']);
    expect(codes([one], { maxAgeMs: 24 * HOUR, histories: seen(100, 25) })).toEqual(['remove expired']);
  });

  test('an image of unknown age is not expired', () => {
    expect(codes([one], { maxAgeMs: HOUR })).toEqual(['keep compliant']);
  });
});

describe('rule 8, disk pressure', () => {
  const { now } = planInput([]);
  const images = [1, 2, 3].map((number) => image(number, { sizeBytes: 100 }));
  const histories = new Map(images.map(({ id }, at) => [id, { firstSeenAt: now - (3 - at) * HOUR, lastInUseAt: null }]));
  const thresholds = (usedBytes: number): PlanInput['diskThresholds'] => ({ usedBytes, highBytes: 800, lowBytes: 750 });

  test('removes the least recently used first, and no more than it takes to reach the low threshold', () => {
    expect(codes(images, { histories, diskThresholds: thresholds(850) })).toEqual([
      'remove disk-pressure',
      'keep compliant',
      'keep compliant',
    ]);
    expect(codes(images, { histories, diskThresholds: thresholds(851) })).toEqual([
      'remove disk-pressure',
      'remove disk-pressure',
      'keep compliant',
    ]);
  });

  test('removes nothing up to the high threshold', () => {
    expect(codes(images, { histories, diskThresholds: thresholds(800) })).toEqual(['keep compliant', 'keep compliant', 'keep compliant']);
  });

  test('removes nothing when what is too old frees enough, though not down to the low threshold', () => {
    const old = new Map([...histories, [imageId(1), { firstSeenAt: now - 100 * HOUR, lastInUseAt: null }] as const]);
    const fields = { histories: old, maxAgeMs: 24 * HOUR };
    expect(codes(images, { ...fields, diskThresholds: thresholds(900) })).toEqual(['remove expired', 'keep compliant', 'keep compliant']);
    expect(codes(images, { ...fields, diskThresholds: thresholds(901) })).toEqual([
      'remove expired',
      'remove disk-pressure',
      'keep compliant',
    ]);
  });

  test('of images that were last used together the one that has been there longest goes first', () => {
    const usedTogether = new Map(images.map(({ id }, at) => [id, { firstSeenAt: now - (10 + at) * HOUR, lastInUseAt: now - HOUR }]));
    expect(codes(images, { histories: usedTogether, diskThresholds: thresholds(850) })).toEqual([
      'keep compliant',
      'keep compliant',
      'remove disk-pressure',
    ]);
  });

  test('an image whose last use is unknown goes last', () => {
    const known = new Map([...histories].slice(1));
    expect(codes(images, { histories: known, diskThresholds: thresholds(850) })).toEqual([
      'keep compliant',
      'remove disk-pressure',
      'keep compliant',
    ]);
  });

  test('counts a shared layer only once nothing has it any more', () => {
    const shared = { key: 'snapshot:base', bytes: 90 };
    const storage = new Map(images.map(({ id }) => [id, [shared, { key: `snapshot:${id}`, bytes: 10 }]]));
    expect(codes(images, { histories, storage, diskThresholds: thresholds(820) })).toEqual([
      'remove disk-pressure',
      'remove disk-pressure',
      'remove disk-pressure',
    ]);
  });
});

describe('rules 9 and 10, verdicts', () => {
  const vulnerable: ScanResult = { kind: 'scanned', report: report(one, { findings: [finding()] }) };

  test('an image without a verdict stays', () => {
    expect(codes([one], { scan: scanned([]) })).toEqual(['keep unscanned']);
    const failed: ScanResult = { kind: 'unscanned', reason: 'content-missing', message: 'layer sha256:1 is not in the store' };
    expect(decide([one], { scan: scanned([[one, failed]]) })).toMatchObject([
      { outcome: 'keep', reason: { code: 'unscanned', why: 'content-missing' } },
    ]);
  });

  test('a report for another image is no verdict', () => {
    expect(decide([two], { scan: scanned([[two, vulnerable]]) })).toMatchObject([
      { outcome: 'keep', reason: { code: 'unscanned', why: 'report-for-another-image' } },
    ]);
  });

  test('a report names the image with or without sha256:', () => {
    const bare = image(1, { id: one.id.slice(7) });
    const result: ScanResult = { kind: 'scanned', report: report(one, { findings: [finding()] }) };
    expect(codes([bare], { scan: scanned([[bare, result]]) })).toEqual(['remove vulnerable']);
  });

  test('a vulnerable image goes, with its findings', () => {
    expect(decide([one], { scan: scanned([[one, vulnerable]]) })).toMatchObject([
      { outcome: 'remove', reason: { code: 'vulnerable', findings: [{ id: 'CVE-2026-0001' }] } },
    ]);
  });

  test('a clean image stays', () => {
    expect(codes([one], { scan: scanned([[one, { kind: 'scanned', report: report(one) }]]) })).toEqual(['keep compliant']);
  });

  test('an image past its end of life goes, unless the policy keeps such images', () => {
    const old: ScanResult = { kind: 'scanned', report: report(one, { os: { family: 'alpine', name: '3.19', endOfLife: true } }) };
    expect(codes([one], { scan: scanned([[one, old]]) })).toEqual(['remove end-of-life']);
    expect(codes([one], { scan: scanned([[one, old]], { removeEndOfLife: false }) })).toEqual(['keep compliant']);
  });

  test('goes by a verdict that was made elsewhere, where there is one', () => {
    const verdicts = new Map([
      [one.id, { kind: 'judged', verdict: 'rejected' } as const],
      [two.id, { kind: 'judged', verdict: 'accepted' } as const],
      [imageId(3), { kind: 'judged', verdict: 'unused' } as const],
    ]);
    const scan = { policy: DEFAULT_SCAN_POLICY, results: verdicts };
    expect(codes([one, two, image(3), image(4)], { scan })).toEqual([
      'remove rejected',
      'keep compliant',
      'remove unused',
      'keep unscanned',
    ]);
  });

  test('an unscannable image goes, unless the policy keeps such images', () => {
    const broken: ScanResult = { kind: 'unscannable', error: 'invalid tar header' };
    expect(codes([one], { scan: scanned([[one, broken]]) })).toEqual(['remove unscannable']);
    expect(codes([one], { scan: scanned([[one, broken]], { removeUnscannable: false }) })).toEqual(['keep unscanned']);
  });

  test('a scan is asked for exactly those images that only a verdict can decide on', () => {
    const images = [one, two, image(3), image(4, { pinned: true })];
    const fields = { inventory: inventory(images, { containers: [container(1, [one.id])] }), exclusions: exclusionsOf('image-3') };
    expect(imagesToScan(planRemoval(planInput([], { ...fields, scan: scanned([]) }))).map(({ id }) => id)).toEqual([two.id]);
  });
});

describe('rules 11 and 12', () => {
  test('with the scanner off and neither an age nor a threshold, every unused image goes', () => {
    expect(codes([one])).toEqual(['remove unused']);
  });

  test('with the scanner off, an age or a threshold decides alone', () => {
    expect(codes([one], { maxAgeMs: HOUR })).toEqual(['keep compliant']);
    expect(codes([one], { diskThresholds: { usedBytes: 1, highBytes: 2, lowBytes: 1 } })).toEqual(['keep compliant']);
  });
});

describe('estimated bytes', () => {
  test('what an image shares with one that stays does not count, and what those that go share counts once', () => {
    const images = [one, two, image(3)];
    const storage = new Map([
      [
        imageId(1),
        [
          { key: 'a', bytes: 1 },
          { key: 'b', bytes: 10 },
        ],
      ],
      [
        imageId(2),
        [
          { key: 'b', bytes: 10 },
          { key: 'c', bytes: 100 },
        ],
      ],
      [
        imageId(3),
        [
          { key: 'a', bytes: 1 },
          { key: 'd', bytes: 1000 },
        ],
      ],
    ]);
    const plan = planRemoval(planInput([], { inventory: inventory(images, { containers: [container(1, [imageId(3)])] }), storage }));
    expect(plan.decisions.map((decision) => (decision.outcome === 'remove' ? decision.estimatedBytes : null))).toEqual([0, 110, null]);
    expect(plan.estimatedBytes).toBe(110);
  });
});
