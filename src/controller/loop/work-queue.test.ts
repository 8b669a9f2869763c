import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { FakeTiming } from '../../../test/fakes/fake-timing.ts';
import { SYSTEM_TIMING } from '../../platform/timing.ts';
import { type Reconciled, WorkQueue, type WorkQueueOptions } from './work-queue.ts';

interface Running {
  readonly queue: WorkQueue;
  readonly timing: FakeTiming;
  /** `key@ms` of each run's beginning. */
  readonly begun: string[];
  readonly errors: number[];
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

function start(reconcile: WorkQueueOptions['reconcile'], workers = 2): Running {
  // No jitter: pauses are 500, 1000, 2000 ms and so on.
  const timing = new FakeTiming(() => 1);
  const begun: string[] = [];
  const errors: number[] = [];
  const queue = new WorkQueue({
    workers,
    timing,
    onError: ({ failures }) => errors.push(failures),
    reconcile: (key, signal) => {
      begun.push(`${key}@${timing.now()}`);
      return reconcile(key, signal);
    },
  });
  const stop = new AbortController();
  return { queue, timing, begun, errors, stop, ended: queue.run(stop.signal) };
}

const nothing = (): Promise<Reconciled> => Promise.resolve({});

test.each([0, 1, 2, 3, 4, 5, 6, 7, 8])('one that comes just before the only worker is free is run (%i)', async (turns) => {
  const isRun = Promise.withResolvers<undefined>();
  const queue = new WorkQueue({
    workers: 1,
    timing: SYSTEM_TIMING,
    onError: ({ error }) => isRun.reject(error),
    reconcile: async (key) => {
      if (key === 'b') isRun.resolve(undefined);
      else queue.add('b');
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      return {};
    },
  });
  const stop = new AbortController();
  const ended = queue.run(stop.signal);
  queue.add('a');
  await isRun.promise;
  stop.abort();
  await ended;
});

describe('a key', () => {
  test('is run once, however often it is added', async () => {
    const { queue, timing, begun } = start(nothing);
    for (let i = 0; i < 5; i++) queue.add('a');
    queue.add('b');
    await timing.settle();
    expect(begun).toEqual(['a@0', 'b@0']);
    await timing.advance(1e6);
    expect(begun).toHaveLength(2);
  });

  test('is run at the earliest time that was asked for', async () => {
    const { queue, timing, begun } = start(nothing);
    queue.add('a', 5_000);
    queue.add('a', 1_000);
    queue.add('a', 9_000);
    await timing.advance(20_000);
    expect(begun).toEqual(['a@1000']);
  });

  test('that is added while it runs is run again afterwards, not beside', async () => {
    const { queue, timing, begun } = start(async () => {
      await timing.sleep(100, new AbortController().signal);
      return {};
    });
    queue.add('a');
    await timing.advance(50);
    queue.add('a');
    queue.add('a');
    await timing.advance(1_000);
    expect(begun).toEqual(['a@0', 'a@100']);
  });

  test('is run again when it asks for it, or sooner when it is added', async () => {
    const { queue, timing, begun } = start(() => Promise.resolve({ requeueAfterMs: 10_000 }));
    queue.add('a');
    await timing.advance(12_000);
    queue.add('a', 500);
    await timing.advance(12_000);
    expect(begun).toEqual(['a@0', 'a@10000', 'a@12500', 'a@22500']);
  });

  test('that fails is run again after pauses that double, and begins anew after a success', async () => {
    let fails = true;
    const { queue, timing, begun, errors } = start(() => (fails ? Promise.reject(new Error('no')) : nothing()));
    queue.add('a');
    await timing.advance(3_499);
    expect(begun).toEqual(['a@0', 'a@500', 'a@1500']);
    expect(errors).toEqual([1, 2, 3]);
    fails = false;
    await timing.advance(10_000);
    fails = true;
    queue.add('a');
    await timing.advance(600);
    expect(begun.slice(3)).toEqual(['a@3500', 'a@13499', 'a@13999']);
    expect(errors.slice(3)).toEqual([1, 2]);
  });

  test('that fails is not tried less often than every five minutes', async () => {
    const { queue, timing, begun } = start(() => Promise.reject(new Error('no')));
    queue.add('a');
    await timing.advance(24 * 3_600_000);
    const times = begun.map((each) => Number(each.split('@')[1]));
    expect((times.at(-1) ?? 0) - (times.at(-2) ?? 0)).toBe(300_000);
  });

  test('that fails delays no other', async () => {
    const { queue, timing, begun } = start((key) => (key === 'bad' ? Promise.reject(new Error('no')) : nothing()), 1);
    queue.add('bad');
    queue.add('good');
    await timing.settle();
    expect(begun).toEqual(['bad@0', 'good@0']);
  });

  test('that throws at once is one that fails', async () => {
    const { queue, timing, errors } = start(() => {
      throw new Error('at once');
    });
    queue.add('a');
    await timing.settle();
    expect(errors).toEqual([1]);
  });
});

describe('the signal', () => {
  test('lets what runs end, begins nothing more, and is no failure', async () => {
    const { queue, timing, begun, errors, stop, ended } = start(async (_, signal) => {
      await timing.sleep(1_000, new AbortController().signal);
      signal.throwIfAborted();
      return {};
    }, 1);
    queue.add('a');
    queue.add('b');
    await timing.advance(100);
    let hasEnded = false;
    void ended.then(() => (hasEnded = true));
    stop.abort();
    queue.add('c');
    await timing.advance(800);
    expect(hasEnded).toBe(false);
    await timing.advance(200);
    expect(hasEnded).toBe(true);
    expect(begun).toEqual(['a@0']);
    expect(errors).toEqual([]);
    expect(queue.backlog).toBe(2);
  });

  test('ends a queue that waits', async () => {
    const { queue, timing, stop, ended } = start(nothing);
    queue.add('a', 10_000);
    await timing.settle();
    stop.abort();
    await ended;
  });
});

test('what was added before it runs is run', async () => {
  const timing = new FakeTiming();
  const begun: string[] = [];
  const queue = new WorkQueue({
    workers: 1,
    timing,
    onError: () => undefined,
    reconcile: (key) => Promise.resolve({}).finally(() => begun.push(key)),
  });
  queue.add('a');
  expect(queue.backlog).toBe(1);
  const stop = new AbortController();
  const ended = queue.run(stop.signal);
  await timing.settle();
  expect(begun).toEqual(['a']);
  stop.abort();
  await ended;
});

test('never is a key run twice at once, never more keys than workers, and none that was added is forgotten', async () => {
  const step = fc.record({
    key: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
    afterMs: fc.constantFrom(0, 0, 50, 2_000),
    thenMs: fc.integer({ min: 0, max: 400 }),
    takesMs: fc.integer({ min: 0, max: 700 }),
    outcome: fc.constantFrom('done', 'done', 'fails', 'again'),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 3 }), async (steps, workers) => {
      const running = new Set<string>();
      const lastBegun = new Map<string, number>();
      let turn = 0;
      const { queue, timing, stop, ended } = start(async (key) => {
        expect(running.has(key)).toBe(false);
        running.add(key);
        expect(running.size).toBeLessThanOrEqual(workers);
        lastBegun.set(key, timing.now());
        const { takesMs, outcome } = steps[turn++] ?? { takesMs: 1, outcome: 'done' };
        await timing.sleep(takesMs, new AbortController().signal);
        running.delete(key);
        if (outcome === 'fails') throw new Error('no');
        return outcome === 'again' ? { requeueAfterMs: 300 } : {};
      }, workers);
      const dueAt = new Map<string, number>();
      for (const { key, afterMs, thenMs } of steps) {
        queue.add(key, afterMs);
        dueAt.set(key, Math.max(dueAt.get(key) ?? 0, timing.now()));
        await timing.advance(thenMs);
      }
      await timing.advance(3_600_000);
      for (const [key, at] of dueAt) expect(lastBegun.get(key)).toBeGreaterThanOrEqual(at);
      expect(running.size).toBe(0);
      expect(queue.backlog).toBe(0);
      stop.abort();
      await ended;
    }),
    { numRuns: 150 },
  );
});

test('what is told in one piece is looked at together, and keeps no timer waiting', async () => {
  let runs = 0;
  let isTimerDue = false;
  let runsBeforeTimer = 0;
  const queue = new WorkQueue({
    reconcile: () => {
      runs += 1;
      if (!isTimerDue) runsBeforeTimer += 1;
      return Promise.resolve({});
    },
    workers: 1,
    timing: SYSTEM_TIMING,
    onError: () => undefined,
  });
  const stop = new AbortController();
  const running = queue.run(stop.signal);
  setTimeout(() => (isTimerDue = true), 1);
  // As the lines of a watch, of which a thousand may be in one piece.
  for (let change = 0; change < 1_000; change++) {
    queue.add('key');
    for (let step = 0; step < 20; step++) await Promise.resolve();
  }
  expect(runsBeforeTimer).toBeLessThan(3);
  await vi.waitFor(() => expect(isTimerDue).toBe(true));
  stop.abort();
  await running;
  expect(runs).toBeLessThan(6);
});
