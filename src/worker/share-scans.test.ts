import { describe, expect, test, vi } from 'vitest';
import { FakeCoordinator } from '../../test/fakes/fake-coordinator.ts';
import { analysisOf, FakeReader } from '../../test/fakes/fake-reader.ts';
import { FakeRuntime } from '../../test/fakes/fake-runtime.ts';
import { untilAborted } from '../../test/fakes/fake-scanner.ts';
import { FakeTiming } from '../../test/fakes/fake-timing.ts';
import { image, imageId, report } from '../../test/fakes/images.ts';
import type { EngineEvent } from '../engine/events.ts';
import { SYSTEM_TIMING } from '../platform/timing.ts';
import { shareScans, type SharedScanOptions, type SharedScans } from './share-scans.ts';

const images = (count: number) => Array.from({ length: count }, (_, at) => image(at + 1));
const kindsOf = ({ results }: SharedScans): string[] => [...results.values()].map(({ kind }) => kind);

function setUp(given: Partial<SharedScanOptions> = {}) {
  const coordinator = new FakeCoordinator();
  const reader = new FakeReader();
  const events: EngineEvent[] = [];
  const wanted = given.images ?? images(3);
  const runtime = new FakeRuntime(wanted);
  const options: SharedScanOptions = {
    reader,
    coordinator,
    runtime,
    images: wanted,
    limits: { concurrency: 2, perImageTimeoutMs: 60_000, totalTimeoutMs: 60_000 },
    timing: SYSTEM_TIMING,
    onEvent: (event) => events.push(event),
    signal: new AbortController().signal,
    ...given,
  };
  return { coordinator, reader, runtime, events, options };
}

describe('scans that nodes share', () => {
  test('read what is leased, tell it, and give what it was judged to be', async () => {
    const { options, coordinator, reader, events } = setUp({ images: images(30) });
    const shared = await shareScans(options);
    expect(kindsOf(shared)).toEqual(Array.from({ length: 30 }, () => 'scanned'));
    expect(shared.reused).toBe(0);
    expect(reader.attempts).toHaveLength(30);
    expect(reader.mostAtOnce).toBe(2);
    const told = coordinator.exchanges.flatMap(({ analyses }) => analyses.map((analysis) => analysis.imageId));
    expect(told.toSorted()).toEqual(images(30).map(({ id }) => id));
    // Several images go together.
    expect(coordinator.exchanges.length).toBeLessThan(12);
    expect(events.filter(({ kind }) => kind === 'image-scanned')).toHaveLength(30);
    expect(events.filter(({ kind }) => kind === 'scan-started')).toHaveLength(1);
  });

  test('read nothing that another node has read or reads: its result is waited for', async () => {
    const { options, coordinator, reader } = setUp();
    coordinator.reports.push(report(image(1)));
    coordinator.elsewhere.add(imageId(2));
    coordinator.before = (call) => {
      // Told while it is waited for.
      if (call === 'exchangeScans' && coordinator.exchanges.at(-1)?.mayWaitMs === 20_000) coordinator.reports.push(report(image(2)));
      return Promise.resolve();
    };
    const timing = new FakeTiming();
    const scanning = shareScans({ ...options, timing });
    await vi.waitFor(() => expect(coordinator.exchanges.at(-1)?.wanted).toEqual([imageId(2)]));
    await timing.settle();
    await timing.advance(1_000);
    const shared = await scanning;
    expect(kindsOf(shared)).toEqual(['scanned', 'scanned', 'scanned']);
    expect(reader.attempts).toEqual([imageId(3)]);
    expect(shared.reused).toBe(2);
  });

  test('tell which images are in hand, for no other node to take them', async () => {
    const gate = Promise.withResolvers<undefined>();
    const { options, coordinator } = setUp({ images: images(6) });
    const reader = new FakeReader(async ({ imageId: id }) => {
      if (id === imageId(1)) await gate.promise;
      return { kind: 'read', analysis: analysisOf(id) };
    });
    const scanning = shareScans({ ...options, reader });
    await vi.waitFor(() => expect(coordinator.exchanges).toHaveLength(2));
    expect(coordinator.exchanges[1]?.inHand).toContain(imageId(1));
    expect(coordinator.exchanges[1]?.wanted).not.toContain(imageId(1));
    gate.resolve(undefined);
    expect(kindsOf(await scanning)).toHaveLength(6);
  });

  test('what cannot be read has no verdict, or is unscannable where it fails twice alike, and the others are told', async () => {
    const { options, coordinator } = setUp();
    const reader = new FakeReader(({ imageId: id, repoTags: [scannedName = ''] }) => {
      if (id === imageId(1)) return Promise.resolve({ kind: 'unscanned', reason: 'killed', message: 'ended' });
      if (id === imageId(2)) return Promise.resolve({ kind: 'unparsable', error: 'garbage', scannedName });
      return Promise.resolve({ kind: 'read', analysis: analysisOf(id) });
    });
    expect(kindsOf(await shareScans({ ...options, reader }))).toEqual(['unscanned', 'unscannable', 'scanned']);
    expect(reader.attempts.filter((id) => id === imageId(2))).toHaveLength(2);
    expect([...coordinator.failures.values()].map(({ kind }) => kind)).toEqual(['unscanned', 'unscannable']);
  });

  test('what is too large to be told is no verdict', async () => {
    const { options, coordinator } = setUp({ images: images(2) });
    const reader = new FakeReader(({ imageId: id }) =>
      Promise.resolve({ kind: 'read', analysis: analysisOf(id, id === imageId(1) ? 33 * 1024 * 1024 : 10) }),
    );
    const { results } = await shareScans({ ...options, reader });
    expect(results.get(imageId(1))).toMatchObject({
      kind: 'unscanned',
      reason: 'scan-failed',
      message: expect.stringContaining('bytes') as string,
    });
    expect(results.get(imageId(2))?.kind).toBe('scanned');
    expect(coordinator.exchanges.flatMap(({ analyses }) => analyses)).toHaveLength(1);
  });

  test('a node with many processors has no more in hand than the coordinator takes', async () => {
    const { options, coordinator } = setUp({ images: images(200) });
    const limits = { ...options.limits, concurrency: 64 };
    expect(kindsOf(await shareScans({ ...options, limits }))).toHaveLength(200);
    const most = coordinator.exchanges.map(({ inHand, mayTake, analyses }) => Math.max(inHand.length + mayTake, analyses.length));
    expect(Math.max(...most)).toBe(32);
  });

  test('a call holds no more than the coordinator takes', async () => {
    const { options, coordinator } = setUp({ images: images(4) });
    const MiB = 1024 * 1024;
    const reader = new FakeReader(({ imageId: id }) => Promise.resolve({ kind: 'read', analysis: analysisOf(id, 12 * MiB) }));
    expect(kindsOf(await shareScans({ ...options, reader }))).toEqual(['scanned', 'scanned', 'scanned', 'scanned']);
    const sizes = coordinator.exchanges.map(({ analyses }) => analyses.length);
    expect(Math.max(...sizes)).toBe(2);
  });

  test('nor more parts; an image that has more alone is no verdict', async () => {
    const { options, coordinator } = setUp({ images: images(4) });
    const of = (id: string, count: number) => ({
      ...analysisOf(id),
      parts: Array.from({ length: count }, (_, at) => ({ key: `${id} ${String(at)}`, data: Buffer.alloc(1) })),
    });
    const reader = new FakeReader(({ imageId: id }) =>
      Promise.resolve({ kind: 'read', analysis: of(id, id === imageId(1) ? 2_001 : 900) }),
    );
    expect(kindsOf(await shareScans({ ...options, reader }))).toEqual(['unscanned', 'scanned', 'scanned', 'scanned']);
    expect(Math.max(...coordinator.exchanges.map(({ analyses }) => analyses.length))).toBe(2);
  });

  test('a fault of the reader ends all of it, and there are no partial results', async () => {
    const { options } = setUp();
    const reader = new FakeReader(({ imageId: id }, signal) =>
      id === imageId(2) ? Promise.reject(new Error('no containerd')) : untilAborted(signal),
    );
    await expect(shareScans({ ...options, reader })).rejects.toThrow('no containerd');
  });

  test('a coordinator that refuses ends all of it; what is being read is ended first', async () => {
    const { options, coordinator } = setUp();
    const ended: string[] = [];
    const reader = new FakeReader(({ imageId: id }, signal) => {
      if (id === imageId(1)) return Promise.resolve({ kind: 'unscanned', reason: 'killed', message: 'ended' });
      return untilAborted(signal).finally(() => ended.push(id));
    });
    coordinator.before = () => (coordinator.exchanges.length > 0 ? Promise.reject(new Error('refused')) : Promise.resolve());
    const limits = { ...options.limits, concurrency: 3 };
    const timing = { ...SYSTEM_TIMING };
    const stop = new AbortController();
    const scanning = shareScans({ ...options, reader, limits, timing, signal: stop.signal });
    // With images in hand it calls when there is enough to tell, or to renew its leases.
    setTimeout(() => stop.abort(new Error('stopped')), 200);
    await expect(scanning).rejects.toThrow(/refused|stopped/);
    expect(ended.toSorted()).toEqual([imageId(2), imageId(3)]);
  });

  test('what has no result when the time for all is up is unscanned', async () => {
    const { options } = setUp({ images: images(2) });
    const reader = new FakeReader(({ imageId: id }, signal) =>
      id === imageId(1) ? untilAborted(signal) : Promise.resolve({ kind: 'read', analysis: analysisOf(id) }),
    );
    const limits = { ...options.limits, totalTimeoutMs: 300 };
    const { results } = await shareScans({ ...options, reader, limits });
    expect(results.get(imageId(1))).toMatchObject({ kind: 'unscanned', reason: 'total-timeout' });
    // It was read in time.
    expect(results.get(imageId(2))?.kind).toBe('scanned');
  });

  test('so is what another node has not read by then', async () => {
    const { options, coordinator } = setUp({ images: images(2) });
    coordinator.elsewhere.add(imageId(1));
    const limits = { ...options.limits, totalTimeoutMs: 300 };
    const { results } = await shareScans({ ...options, limits });
    expect(results.get(imageId(1))).toMatchObject({ kind: 'unscanned', reason: 'total-timeout' });
    expect(results.get(imageId(2))?.kind).toBe('scanned');
  });

  test('what was read in time counts, also where the time for all ends in the middle of telling it', async () => {
    const { options, coordinator } = setUp({ images: images(1) });
    let calls = 0;
    coordinator.before = (_, signal) => (++calls === 2 ? untilAborted(signal) : Promise.resolve());
    const limits = { ...options.limits, totalTimeoutMs: 300 };
    expect(kindsOf(await shareScans({ ...options, limits }))).toEqual(['scanned']);
    expect(calls).toBe(3);
  });

  test('a coordinator that answers nothing until the time for all is up is a fault, not want of time', async () => {
    const { options, coordinator, reader } = setUp();
    coordinator.before = (_, signal) => untilAborted(signal);
    const limits = { ...options.limits, totalTimeoutMs: 100 };
    await expect(shareScans({ ...options, limits })).rejects.toThrow('the coordinator does not answer');
    expect(reader.attempts).toEqual([]);
  }, 30_000);

  test('an image that takes longer than one may is unscanned, and the others are told', async () => {
    const { options, coordinator } = setUp({ images: images(2) });
    const reader = new FakeReader(({ imageId: id }, signal) =>
      id === imageId(1) ? untilAborted(signal) : Promise.resolve({ kind: 'read', analysis: analysisOf(id) }),
    );
    const limits = { ...options.limits, perImageTimeoutMs: 100 };
    expect(kindsOf(await shareScans({ ...options, reader, limits }))).toEqual(['unscanned', 'scanned']);
    expect(coordinator.failures.get(imageId(1))).toMatchObject({ reason: 'timeout' });
  });

  test('where no image can be read, what other nodes have read or read now counts; the rest is unscanned', async () => {
    const { options, coordinator, reader } = setUp();
    reader.unsupportedBecause = 'Trivy cannot read the image store of cri-o';
    coordinator.reports.push(report(image(1)));
    coordinator.elsewhere.add(imageId(2));
    coordinator.before = () => {
      if (coordinator.exchanges.length === 1) coordinator.reports.push(report(image(2)));
      return Promise.resolve();
    };
    const shared = await shareScans(options);
    expect(kindsOf(shared)).toEqual(['scanned', 'scanned', 'unscanned']);
    expect(shared.results.get(imageId(3))).toMatchObject({ reason: 'unsupported-runtime' });
    expect(coordinator.exchanges.every(({ mayTake, scannerVersion }) => mayTake === 0 && scannerVersion === null)).toBe(true);
    expect(reader.attempts).toEqual([]);
  });

  test('ids of CRI-O count as those of reports', async () => {
    const bare = { ...image(1), id: imageId(1).slice('sha256:'.length) };
    const { options, coordinator } = setUp({ images: [bare] });
    coordinator.reports.push(report(image(1)));
    expect([...(await shareScans(options)).results.keys()]).toEqual([bare.id]);
  });

  test('a stop is not waited for', async () => {
    const stop = new AbortController();
    const { options, coordinator } = setUp({ signal: stop.signal });
    coordinator.before = (_, signal) => untilAborted(signal);
    const scanning = shareScans(options);
    setTimeout(() => stop.abort(new Error('stopped')), 50);
    await expect(scanning).rejects.toThrow('stopped');
  });
});
