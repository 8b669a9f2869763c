import { describe, expect, test, vi } from 'vitest';
import { eventually } from '../../test/fakes/eventually.ts';
import { FakeCoordinator } from '../../test/fakes/fake-coordinator.ts';
import { analysisOf, FakeReader } from '../../test/fakes/fake-reader.ts';
import { FakeRuntime } from '../../test/fakes/fake-runtime.ts';
import { untilAborted } from '../../test/fakes/fake-scanner.ts';
import { FakeTiming } from '../../test/fakes/fake-timing.ts';
import { image, imageId, report } from '../../test/fakes/images.ts';
import { MOST_IMAGES_ASKED, RENEW_MS } from '../api/coordinator/scans-call.ts';
import type { EngineEvent } from '../engine/events.ts';
import { SYSTEM_TIMING } from '../platform/timing.ts';
import { LAST_CALL_MS, LONGEST_TURN_MS, shareScans, TOLD_AFTER_MS, type SharedScanOptions, type SharedScans } from './share-scans.ts';

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
    const reader = new FakeReader(async ({ imageId: id }, signal) => {
      if (id === imageId(1)) return { kind: 'unscanned', reason: 'killed', message: 'ended' };
      await untilAborted(signal).catch(() => undefined);
      // A program takes a while to end.
      await new Promise((resolve) => setTimeout(resolve, 50));
      ended.push(id);
      throw signal.reason;
    });
    coordinator.before = () => (coordinator.exchanges.length > 0 ? Promise.reject(new Error('refused')) : Promise.resolve());
    const limits = { ...options.limits, concurrency: 3 };
    const timing = new FakeTiming();
    const refused = expect(shareScans({ ...options, reader, limits, timing })).rejects.toThrow('refused');
    await eventually(() => reader.attempts).toHaveLength(3);
    await timing.advance(TOLD_AFTER_MS);
    await refused;
    expect(ended.toSorted()).toEqual([imageId(2), imageId(3)]);
  });

  test('a fault of the reader is told, whatever the coordinator says when it is broken off for that', async () => {
    const { options, coordinator } = setUp({ images: images(2) });
    const faults = Promise.withResolvers<never>();
    const reader = new FakeReader(({ imageId: id }) =>
      id === imageId(1) ? faults.promise : Promise.resolve({ kind: 'read', analysis: analysisOf(id) }),
    );
    coordinator.before = async (_, signal) => {
      if (coordinator.exchanges.length === 0) return;
      faults.reject(new Error('no containerd'));
      await untilAborted(signal).catch(() => undefined);
      throw new Error('the connection was cut');
    };
    await expect(shareScans({ ...options, reader })).rejects.toThrow('no containerd');
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
    let calls = 0;
    coordinator.before = (_, signal) => {
      calls += 1;
      return untilAborted(signal);
    };
    const timing = new FakeTiming();
    const limits = { ...options.limits, totalTimeoutMs: 100 };
    let isOver = false;
    const failed = expect(shareScans({ ...options, limits, timing }).finally(() => (isOver = true))).rejects.toThrow(
      'the coordinator does not answer',
    );
    await eventually(() => calls).toBe(2);
    await timing.advance(LAST_CALL_MS - 1);
    await timing.settle();
    expect(isOver).toBe(false);
    await timing.advance(1);
    await failed;
    expect(reader.attempts).toEqual([]);
  });

  test('one that refuses the last call is not said to be silent', async () => {
    const { options, coordinator } = setUp();
    let calls = 0;
    coordinator.before = (_, signal) => (++calls === 1 ? untilAborted(signal) : Promise.reject(new Error('refused')));
    const limits = { ...options.limits, totalTimeoutMs: 100 };
    await expect(shareScans({ ...options, limits })).rejects.toThrow('refused');
  });

  test('when the time for all is up, all that was read is told, nothing is taken or kept, and nobody is waited for', async () => {
    const { options, coordinator } = setUp({ images: images(7) });
    const MiB = 1024 * 1024;
    const gate = Promise.withResolvers<undefined>();
    const reader = new FakeReader(async ({ imageId: id }, signal) => {
      if (id === imageId(6)) {
        await untilAborted(signal).catch(() => undefined);
        // Its program takes longer to end than the last calls.
        await new Promise((resolve) => setTimeout(resolve, 1_000));
        throw signal.reason;
      }
      await gate.promise;
      return { kind: 'read', analysis: analysisOf(id, 12 * MiB) };
    });
    coordinator.elsewhere.add(imageId(7));
    let calls = 0;
    // The second is broken off by the end of the time.
    coordinator.before = (_, signal) => (++calls === 2 ? untilAborted(signal) : Promise.resolve());
    coordinator.mostResults = 3;
    const limits = { ...options.limits, concurrency: 6, totalTimeoutMs: 400 };
    const scanning = shareScans({ ...options, reader, limits });
    await eventually(() => reader.attempts).toHaveLength(6);
    gate.resolve(undefined);
    const shared = await scanning;
    expect(kindsOf(shared)).toEqual(['scanned', 'scanned', 'scanned', 'scanned', 'scanned', 'unscanned', 'unscanned']);
    const last = coordinator.exchanges.slice(1);
    expect(last.flatMap(({ analyses }) => analyses)).toHaveLength(5);
    for (const { mayTake, mayWaitMs } of last) expect([mayTake, mayWaitMs]).toEqual([0, 0]);
    expect(last.flatMap(({ inHand }) => inHand)).not.toContain(imageId(6));
    // What cannot go with a call is in hand yet.
    for (const { inHand, analyses } of last) for (const { imageId: id } of analyses) expect(inHand).not.toContain(id);
    expect(last[0]?.inHand).toHaveLength(5 - (last[0]?.analyses.length ?? 0));
  });

  test('and no call is kept waiting where nothing is left to tell', async () => {
    const { options, coordinator } = setUp({ images: images(1) });
    coordinator.elsewhere.add(imageId(1));
    let calls = 0;
    coordinator.before = (_, signal) => (++calls === 1 ? untilAborted(signal) : Promise.resolve());
    const limits = { ...options.limits, totalTimeoutMs: 50 };
    await shareScans({ ...options, limits });
    expect(coordinator.exchanges.map(({ mayWaitMs }) => mayWaitMs)).toEqual([0]);
  });

  test('results that an answer does not hold are asked for, also when the time for all is up', async () => {
    const { options, coordinator } = setUp({ images: images(5) });
    for (const one of images(5)) coordinator.reports.push(report(one));
    coordinator.mostResults = 2;
    const timing = new FakeTiming();
    expect(kindsOf(await shareScans({ ...options, timing }))).toEqual(Array(5).fill('scanned'));
    expect(coordinator.exchanges).toHaveLength(3);
    // The first call never ends.
    let calls = 0;
    coordinator.before = (_, signal) => (++calls === 1 ? untilAborted(signal) : Promise.resolve());
    const limits = { ...options.limits, totalTimeoutMs: 50 };
    expect(kindsOf(await shareScans({ ...options, limits }))).toEqual(Array(5).fill('scanned'));
  });

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

  test('asks for no more images than a call may name', async () => {
    const many = images(MOST_IMAGES_ASKED + 5);
    const { options, coordinator } = setUp({ images: many });
    for (const one of many) coordinator.reports.push(report(one));
    const timing = new FakeTiming();
    expect(kindsOf(await shareScans({ ...options, timing })).filter((kind) => kind === 'scanned')).toHaveLength(many.length);
    expect(coordinator.exchanges.map(({ wanted }) => wanted.length)).toEqual([MOST_IMAGES_ASKED, 5]);
  });

  test('nothing is asked or probed where there is no image', async () => {
    const { options, coordinator, reader } = setUp({ images: [] });
    reader.probe = () => Promise.reject(new Error('probed'));
    expect(await shareScans(options)).toEqual({ results: new Map(), reused: 0 });
    expect(coordinator.exchanges).toEqual([]);
  });

  test('a failure that could not be told is told with the next call', async () => {
    const { options, coordinator } = setUp({ images: images(1) });
    const reader = new FakeReader(() => Promise.resolve({ kind: 'unscanned', reason: 'killed', message: 'ended' }));
    let calls = 0;
    coordinator.before = (_, signal) => (++calls === 2 ? untilAborted(signal) : Promise.resolve());
    const limits = { ...options.limits, totalTimeoutMs: 200 };
    const { results } = await shareScans({ ...options, reader, limits });
    expect(results.get(imageId(1))).toMatchObject({ reason: 'killed' });
    expect(coordinator.failures.get(imageId(1))).toMatchObject({ reason: 'killed' });
  });

  test('what earlier scans or other nodes have found is told of once', async () => {
    const { options, coordinator, events } = setUp();
    for (const at of [1, 2]) coordinator.reports.push(report(image(at)));
    await shareScans(options);
    expect(events.filter(({ kind }) => kind === 'verdicts-known')).toMatchObject([{ reused: 2 }]);
  });

  test('what is leased twice, is known already or is on no list of this node is not read for that', async () => {
    const { options, coordinator, reader } = setUp({ images: images(2) });
    coordinator.reports.push(report(image(1)));
    coordinator.alsoLeased = [imageId(1), imageId(2), imageId(2), imageId(9)];
    const shared = await shareScans(options);
    expect(kindsOf(shared)).toEqual(['scanned', 'scanned']);
    expect([shared.reused, reader.attempts]).toEqual([1, [imageId(2)]]);
  });

  describe('calls', () => {
    /** A scan by a clock that the test moves, and readers that end when it says so. */
    function begin(given: { readonly count: number; readonly concurrency: number }) {
      const { options, coordinator, ...others } = setUp({ images: images(given.count) });
      const ends = new Map(images(given.count).map(({ id }) => [id, Promise.withResolvers<undefined>()]));
      const reader = new FakeReader(async ({ imageId: id }) => {
        await ends.get(id)?.promise;
        return { kind: 'read', analysis: analysisOf(id) };
      });
      const timing = new FakeTiming();
      const limits = { ...options.limits, concurrency: given.concurrency };
      const end = (...numbers: readonly number[]): void => numbers.forEach((at) => ends.get(imageId(at))?.resolve(undefined));
      return { ...others, coordinator, reader, timing, end, scanning: shareScans({ ...options, reader, limits, timing }) };
    }

    test('come half a second after an image was read, where no more are', async () => {
      const { coordinator, reader, timing, end, scanning } = begin({ count: 2, concurrency: 2 });
      await eventually(() => reader.attempts).toHaveLength(2);
      end(1);
      await timing.advance(TOLD_AFTER_MS - 1);
      expect(coordinator.exchanges).toHaveLength(1);
      await timing.advance(1);
      await eventually(() => coordinator.exchanges.map(({ analyses }) => analyses.length)).toEqual([0, 1]);
      // Nor is an answer with nothing in it a reason to be late with the next.
      end(2);
      await eventually(() => coordinator.exchanges).toHaveLength(3);
      expect(kindsOf(await scanning)).toEqual(['scanned', 'scanned']);
    });

    test('come at once where four images were read', async () => {
      const { coordinator, reader, end, scanning } = begin({ count: 5, concurrency: 5 });
      await eventually(() => reader.attempts).toHaveLength(5);
      end(1, 2, 3, 4);
      await eventually(() => coordinator.exchanges.map(({ analyses }) => analyses.length)).toEqual([0, 4]);
      end(5);
      await scanning;
    });

    test('renew what is in hand, where nothing is to be told; an empty answer to that delays nothing', async () => {
      const { coordinator, reader, timing, end, scanning } = begin({ count: 2, concurrency: 2 });
      await eventually(() => reader.attempts).toHaveLength(2);
      await timing.advance(RENEW_MS - 1);
      expect(coordinator.exchanges).toHaveLength(1);
      await timing.advance(1);
      await eventually(() => coordinator.exchanges.map(({ inHand }) => inHand)).toEqual([[], [imageId(1), imageId(2)]]);
      end(1);
      await timing.advance(TOLD_AFTER_MS);
      await eventually(() => coordinator.exchanges).toHaveLength(3);
      end(2);
      await scanning;
    });

    test('give back what waits too long for its turn, and take from then on no more than is read at once', async () => {
      const { coordinator, reader, events, timing, end, scanning } = begin({ count: 4, concurrency: 1 });
      await eventually(() => reader.attempts).toEqual([imageId(1)]);
      await timing.advance(LONGEST_TURN_MS - 1);
      expect(coordinator.exchanges.at(-1)?.inHand).toEqual(images(4).map(({ id }) => id));
      coordinator.elsewhere.add(imageId(2));
      await timing.advance(RENEW_MS + 1);
      await eventually(() => coordinator.exchanges.at(-1)).toMatchObject({
        inHand: [imageId(1)],
        wanted: [imageId(2), imageId(3), imageId(4)],
        mayTake: 0,
      });
      end(1, 2, 3, 4);
      await eventually(() => reader.attempts).toEqual([imageId(1), imageId(3), imageId(4)]);
      coordinator.reports.push(report(image(2)));
      for (let calls = 0; calls < 3; calls++) await timing.advance(RENEW_MS);
      const shared = await scanning;
      expect([kindsOf(shared), shared.reused]).toEqual([Array(4).fill('scanned'), 1]);
      expect(reader.attempts).toEqual([imageId(1), imageId(3), imageId(4)]);
      expect(events.filter(({ kind }) => kind === 'scan-started')).toHaveLength(1);
    });
  });

  const silences: readonly (readonly [string, () => Promise<void>])[] = [
    ['is empty', () => Promise.resolve()],
    ['comes late', () => new Promise((resolve) => setTimeout(resolve, 30))],
  ];
  test.each(silences)('end with the time for all, where every answer %s', async (_, before) => {
    const { options } = setUp();
    const exchangeScans = async (): ReturnType<FakeCoordinator['exchangeScans']> => {
      await before();
      return { results: [], leased: [], elsewhere: [], rest: [] };
    };
    const limits = { ...options.limits, totalTimeoutMs: 100 };
    const { results } = await shareScans({ ...options, coordinator: { exchangeScans }, limits });
    expect([...results.values()].map((result) => result.kind === 'unscanned' && result.reason)).toEqual(Array(3).fill('total-timeout'));
  });

  test('ask an empty coordinator no more than once in a second', async () => {
    const stop = new AbortController();
    const { options } = setUp({ signal: stop.signal });
    let calls = 0;
    const exchangeScans = (): ReturnType<FakeCoordinator['exchangeScans']> => {
      calls += 1;
      return Promise.resolve({ results: [], leased: [], elsewhere: [], rest: [] });
    };
    const timing = new FakeTiming();
    const stopped = expect(shareScans({ ...options, coordinator: { exchangeScans }, timing })).rejects.toThrow('stopped');
    await timing.advance(999);
    expect(calls).toBe(1);
    await timing.advance(1);
    await timing.settle();
    expect(calls).toBe(2);
    // In the middle of the pause.
    stop.abort(new Error('stopped'));
    await stopped;
  });

  test('a stop while images are read ends those', async () => {
    const stop = new AbortController();
    const { options } = setUp({ signal: stop.signal });
    const reader = new FakeReader((_, signal) => untilAborted(signal));
    const stopped = expect(shareScans({ ...options, reader })).rejects.toThrow('stopped');
    await eventually(() => reader.attempts).toHaveLength(2);
    stop.abort(new Error('stopped'));
    await stopped;
    expect(reader.attempts).toHaveLength(2);
  });

  test('where no image can be read, what an answer has no room for is not taken for unknown', async () => {
    const { options, coordinator, reader } = setUp();
    reader.unsupportedBecause = 'Trivy cannot read the image store of cri-o';
    for (const one of images(3)) coordinator.reports.push(report(one));
    coordinator.mostResults = 1;
    expect(kindsOf(await shareScans(options))).toEqual(['scanned', 'scanned', 'scanned']);
  });
});
