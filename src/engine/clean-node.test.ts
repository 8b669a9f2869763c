import { describe, expect, test } from 'vitest';
import { FakeRuntime } from '../../test/fakes/fake-runtime.ts';
import { FakeImageMemory } from '../../test/fakes/fake-records.ts';
import { FakeScanner } from '../../test/fakes/fake-scanner.ts';
import { container, finding, image, planInput, report } from '../../test/fakes/images.ts';
import type { NodeImage } from '../api/inventory.ts';
import { DEFAULT_SCAN_POLICY } from '../api/scan-policy.ts';
import { removals, type RemovalPlan } from '../core/plan-removal.ts';
import { carryOutPlan, planNode, type CarriedOutPlan, type PlanNodeOptions } from './clean-node.ts';

const NOW = Date.UTC(2026, 10, 1);
const LIMITS = { concurrency: 1, perImageTimeoutMs: 1000, totalTimeoutMs: 1000 };
const images = [1, 2, 3, 4].map((number) => image(number));
const [used, vulnerable, clean] = images as [NodeImage, NodeImage, NodeImage, NodeImage];

function runtimeInUse(): FakeRuntime {
  const runtime = new FakeRuntime(images);
  runtime.containers = [container(1, [used.id])];
  return runtime;
}

function scanner(): FakeScanner {
  return new FakeScanner(({ imageId }) => {
    const findings = imageId === vulnerable.id ? [finding()] : [];
    return Promise.resolve({ kind: 'scanned', report: report(image(0, { id: imageId }), { findings }), analysis: null });
  });
}

function plan(runtime: FakeRuntime, options: Partial<PlanNodeOptions> = {}): Promise<RemovalPlan> {
  return planNode({
    runtime,
    scan: { scanner: scanner(), policy: DEFAULT_SCAN_POLICY, limits: LIMITS, records: null },
    memory: null,
    diskLimits: null,
    settings: planInput([]),
    now: () => NOW,
    onEvent: () => undefined,
    signal: new AbortController().signal,
    ...options,
  });
}

function carryOut(runtime: FakeRuntime, made: RemovalPlan): Promise<CarriedOutPlan> {
  return carryOutPlan({
    plan: made,
    runtime,
    listPendingPods: () => Promise.resolve([]),
    journal: null,
    concurrency: 1,
    perImageTimeoutMs: 1000,
    onEvent: () => undefined,
    signal: new AbortController().signal,
  });
}

describe('planNode', () => {
  test('scans what only a verdict can decide on, and decides', async () => {
    const scanning = scanner();
    const made = await plan(runtimeInUse(), {
      scan: { scanner: scanning, policy: DEFAULT_SCAN_POLICY, limits: LIMITS, records: null },
    });
    expect(scanning.attempts).not.toContain(used.id);
    expect(scanning.attempts).toHaveLength(3);
    expect(removals(made.decisions).map(({ image: { id } }) => id)).toEqual([vulnerable.id]);
  });

  test('lists the images before the containers, so that none that starts in between is missed', async () => {
    const runtime = runtimeInUse();
    await plan(runtime);
    expect(runtime.calls.indexOf('listImages')).toBeLessThan(runtime.calls.indexOf('listContainers'));
  });

  test('scans only the chosen image; the others stay unscanned', async () => {
    const made = await plan(runtimeInUse(), { chooseToScan: () => [clean] });
    expect(made.decisions.map(({ reason }) => reason.code)).toEqual(['in-use', 'unscanned', 'compliant', 'unscanned']);
  });

  test('removes nothing itself', async () => {
    const runtime = runtimeInUse();
    await plan(runtime, { scan: null });
    expect(runtime.images.size).toBe(images.length);
  });

  test('estimates by what the images share', async () => {
    const runtime = runtimeInUse();
    runtime.storage.set(used.id, [{ key: 'base', bytes: 500 }]);
    runtime.storage.set(vulnerable.id, [
      { key: 'base', bytes: 500 },
      { key: 'own', bytes: 20 },
    ]);
    expect((await plan(runtime)).estimatedBytes).toBe(20);
  });
});

test('under disk pressure, what the sizes on disk choose not to remove is scanned', async () => {
  const runtime = new FakeRuntime(images.map((each) => ({ ...each, sizeBytes: 1 })));
  runtime.filesystem = { mountpoint: '/', usedBytes: 400, availableBytes: 600, capacityBytes: 1000 };
  for (const { id } of images) runtime.storage.set(id, [{ key: id, bytes: 100 }]);
  // By the sizes that the runtime reports all four would have to go, by those on disk one does.
  const made = await plan(runtime, { diskLimits: { high: { unit: 'percent', value: 39 }, low: { unit: 'bytes', value: 350 } } });
  expect(made.decisions.map(({ reason }) => reason.code).sort()).toEqual(['compliant', 'compliant', 'disk-pressure', 'vulnerable']);
});

test('a disk threshold that cannot be held against a filesystem ends the run', async () => {
  const runtime = runtimeInUse();
  runtime.filesystem = null;
  const limit = { unit: 'percent', value: 80 } as const;
  await expect(plan(runtime, { diskLimits: { high: limit, low: limit } })).rejects.toMatchObject({ code: 'no-filesystem' });
  expect(runtime.images.size).toBe(images.length);
});

test('images are remembered with what uses them, and their age decides', async () => {
  const runtime = runtimeInUse();
  const memory = new FakeImageMemory(NOW - 1000);
  const settings = planInput([], { maxAgeMs: 999 });
  const made = await plan(runtime, { memory, settings, scan: null });
  expect(memory.seen).toEqual([{ images: images.map(({ id }) => id), inUse: [used.id] }]);
  expect(made.decisions.map(({ reason }) => reason.code)).toEqual(['in-use', 'expired', 'expired', 'expired']);
});

describe('carryOutPlan', () => {
  test('counts what images share as freed only when the last of them went', async () => {
    const runtime = new FakeRuntime(images);
    for (const { id } of images)
      runtime.storage.set(id, [
        { key: 'base', bytes: 1000 },
        { key: id, bytes: 1 },
      ]);
    runtime.stubborn.add(used.id);
    const carriedOut = await carryOut(runtime, await plan(runtime, { scan: null }));
    expect(carriedOut.removals.map(({ reclaimedBytes }) => reclaimedBytes)).toEqual([0, 1, 1, 1]);
  });

  test('what was to go for want of space stays when there is room by then, down to the low threshold', async () => {
    const runtime = new FakeRuntime(images);
    const bytes = images.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const limit = { unit: 'bytes', value: 1 } as const;
    const made = await plan(runtime, { scan: null, diskLimits: { high: limit, low: limit } });
    expect(removals(made.decisions)).toHaveLength(images.length);
    // Somebody made room at the question: less than one image is over the low threshold.
    runtime.filesystem = { mountpoint: '/', usedBytes: bytes, availableBytes: 1_000_000 - 50, capacityBytes: 1_000_000 };
    const carriedOut = await carryOut(runtime, made);
    expect(carriedOut.removals.map(({ outcome }) => outcome.kind)).toEqual(['removed', 'kept', 'kept', 'kept']);
    expect(runtime.images.size).toBe(images.length - 1);
  });

  test('when the disk cannot be looked at again, nothing is removed for want of space', async () => {
    const runtime = new FakeRuntime(images);
    const limit = { unit: 'bytes', value: 1 } as const;
    const made = await plan(runtime, { scan: null, diskLimits: { high: limit, low: limit } });
    runtime.filesystem = null;
    await expect(carryOut(runtime, made)).rejects.toMatchObject({ code: 'no-filesystem' });
    expect(runtime.images.size).toBe(images.length);
  });

  test('removes what the plan says and measures the filesystem before and after', async () => {
    const runtime = runtimeInUse();
    const carriedOut = await carryOut(runtime, await plan(runtime));
    expect(carriedOut.removals.map(({ outcome }) => outcome.kind)).toEqual(['removed']);
    expect([...runtime.images.keys()]).toEqual(images.map(({ id }) => id).filter((id) => id !== vulnerable.id));
    expect((carriedOut.filesystem?.before.usedBytes ?? 0) - (carriedOut.filesystem?.after.usedBytes ?? 0)).toBe(vulnerable.sizeBytes);
  });
});
