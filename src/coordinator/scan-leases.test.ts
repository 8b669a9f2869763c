import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { FakeTiming } from '../../test/fakes/fake-timing.ts';
import { imageId } from '../../test/fakes/images.ts';
import { CALL_LIMITS } from '../api/coordinator/coordinator-api.ts';
import { LEASE_MS, MOST_IN_HAND, type ReadFailure } from '../api/coordinator/scans-call.ts';
import type { Worker } from './ports.ts';
import { ScanLeases } from './scan-leases.ts';

const HOUR = 3_600_000;

const worker = (number: number, job = 'job-1'): Worker => ({
  job,
  node: `node-${number}`,
  podName: `worker-${number}-of-${job}`,
  podUid: `uid-${number}-of-${job}`,
});
const [ONE, TWO, THREE, FOUR] = [worker(1), worker(2), worker(3), worker(4)];
const ids = (count: number, from = 1): string[] => Array.from({ length: count }, (_, at) => imageId(from + at));
const [A, B] = [imageId(1), imageId(2)];

let timing: FakeTiming;
let leases: ScanLeases;
beforeEach(() => {
  timing = new FakeTiming();
  leases = new ScanLeases(timing);
});

describe('an image', () => {
  test('is given to one worker', () => {
    expect(leases.take(ONE, [A, B], 1)).toEqual([A]);
    expect(leases.take(TWO, [A, B], 2)).toEqual([B]);
    expect(leases.take(THREE, [A, B], 2)).toEqual([]);
    expect([ONE, TWO, THREE].map((of) => leases.isHeldBy(of, A))).toEqual([true, false, false]);
    expect([ONE, TWO, THREE].map((of) => leases.isElsewhere(of, A))).toEqual([false, true, true]);
    expect(leases.isElsewhere(ONE, imageId(3))).toBe(false);
  });

  test('is given to nobody who wants none', () => {
    expect(leases.take(ONE, [A], 0)).toEqual([]);
    expect(leases.take(TWO, [A], 1)).toEqual([A]);
  });

  test('goes to another when its lease has run out, and not a moment before', () => {
    leases.take(ONE, [A], 1);
    timing.jump(LEASE_MS - 1);
    expect(leases.take(TWO, [A], 1)).toEqual([]);
    timing.jump(1);
    expect(leases.isHeldBy(ONE, A)).toBe(false);
    expect(leases.take(TWO, [A], 1)).toEqual([A]);
    expect(leases.isElsewhere(ONE, A)).toBe(true);
  });

  test('stays with who renews its lease', () => {
    leases.take(ONE, [A, B], 2);
    for (let renewals = 0; renewals < 5; renewals++) {
      timing.jump(LEASE_MS - 1);
      leases.renew(ONE, [A]);
    }
    expect(leases.take(TWO, [A, B], 2)).toEqual([B]);
  });

  test('stays with who reads it for as long as it says so, but with nobody for longer than two hours', () => {
    leases.take(ONE, [A], 1);
    for (let at = 0; at < 2 * HOUR; at += 10_000) {
      leases.renew(ONE, [A]);
      // Asked again by a program that was restarted, it is no longer for that.
      expect(leases.take(ONE, [A], 1)).toEqual([A]);
      expect(leases.take(TWO, [A], 1)).toEqual([]);
      timing.jump(10_000);
    }
    expect(leases.take(TWO, [A], 1)).toEqual([A]);
    leases.renew(ONE, [A]);
    expect(leases.isHeldBy(TWO, A)).toBe(true);
  });

  test('whose reader had all of its time may be read by the same, if nobody else wants it', () => {
    leases.take(ONE, [A], 1);
    for (let at = 0; at < 2 * HOUR; at += 10_000) {
      leases.renew(ONE, [A]);
      timing.jump(10_000);
    }
    leases.renew(ONE, [A]);
    expect(leases.isHeldBy(ONE, A)).toBe(true);
  });

  test('is given again to the pod that has it: its program was restarted', () => {
    leases.take(ONE, [A, B], 2);
    expect(leases.take(ONE, [A, B], 2)).toEqual([A, B]);
    timing.jump(LEASE_MS - 1);
    leases.take(ONE, [A], 1);
    timing.jump(1);
    expect(leases.take(TWO, [A, B], 2)).toEqual([B]);
  });

  test('that nobody has is taken over by who says to have it, never one of another', () => {
    leases.take(TWO, [B], 1);
    leases.renew(ONE, [A, B]);
    expect(leases.isHeldBy(ONE, A)).toBe(true);
    expect(leases.isHeldBy(TWO, B)).toBe(true);
    // Nor has that given it more time.
    timing.jump(LEASE_MS);
    expect(leases.isHeldBy(TWO, B)).toBe(false);
    leases.renew(ONE, [B]);
    expect(leases.isHeldBy(ONE, B)).toBe(true);
  });

  test('that its worker does not name any more is free at once, and nobody has failed on it for that', () => {
    leases.take(ONE, [A, B], 2);
    leases.take(TWO, [imageId(3)], 1);
    leases.keepOnly(ONE, [B, imageId(3)]);
    expect([A, B, imageId(3)].map((image) => leases.isElsewhere(THREE, image))).toEqual([false, true, true]);
    expect(leases.mayTell(ONE, A)).toBe(false);
    expect(leases.take(ONE, [A], 1)).toEqual([A]);
  });

  test('stays with its worker while a call of that is under way, and for another while from then', () => {
    leases.take(ONE, [A, B], 2);
    const letGo = leases.hold(ONE, [A, imageId(9)]);
    timing.jump(CALL_LIMITS.scans.timeLimitMs);
    expect(leases.take(TWO, [A, B], 2)).toEqual([B]);
    letGo();
    timing.jump(LEASE_MS - 1);
    expect(leases.isHeldBy(ONE, A)).toBe(true);
    timing.jump(1);
    expect(leases.take(TWO, [A], 1)).toEqual([A]);
  });

  test('stays with it for no longer than a call lasts, should that never end', () => {
    leases.take(ONE, [A], 1);
    leases.hold(ONE, [A]);
    timing.jump(CALL_LIMITS.scans.timeLimitMs + LEASE_MS);
    expect(leases.take(TWO, [A], 1)).toEqual([A]);
  });

  test('stays with it until the last of its calls is over, whichever began first', () => {
    leases.take(ONE, [A], 1);
    const first = leases.hold(ONE, [A]);
    const second = leases.hold(ONE, [A, A]);
    first();
    first();
    timing.jump(CALL_LIMITS.scans.timeLimitMs);
    expect(leases.isHeldBy(ONE, A)).toBe(true);
    second();
    timing.jump(LEASE_MS);
    expect(leases.isHeldBy(ONE, A)).toBe(false);
  });

  test('that another has by the end of a call is not touched by that, nor one that was given out anew', () => {
    leases.take(ONE, [A, B], 2);
    const letGo = leases.hold(ONE, [A, B]);
    leases.settle(A);
    leases.settle(B);
    leases.take(TWO, [A], 1);
    leases.take(ONE, [B], 1);
    timing.jump(LEASE_MS - 1);
    letGo();
    timing.jump(1);
    expect([leases.isHeldBy(TWO, A), leases.isHeldBy(ONE, B)]).toEqual([false, false]);
  });

  test('of another is held by nobody who says so', () => {
    leases.take(ONE, [A], 1);
    leases.hold(TWO, [A, B]);
    timing.jump(LEASE_MS);
    expect([leases.isHeldBy(ONE, A), leases.isHeldBy(TWO, A), leases.isHeldBy(TWO, B)]).toEqual([false, false, false]);
  });

  test('with a verdict is free', () => {
    leases.take(ONE, [A], 1);
    leases.settle(A);
    leases.settle(B);
    expect(leases.isHeldBy(ONE, A)).toBe(false);
    expect(leases.take(TWO, [A], 1)).toEqual([A]);
  });

  test('is given to one pod only, of whatever run', () => {
    leases.take(ONE, [A], 1);
    expect(leases.isElsewhere(worker(1, 'job-2'), A)).toBe(true);
    expect(leases.take(worker(1, 'job-2'), [A], 1)).toEqual([]);
  });
});

describe('one pod', () => {
  test('has no more than its share in hand', () => {
    expect(leases.take(ONE, ids(50), 50)).toEqual(ids(MOST_IN_HAND));
    expect(leases.take(ONE, ids(10, 100), 10)).toEqual([]);
    leases.renew(ONE, ids(10, 100));
    expect(ids(10, 100).some((image) => leases.isHeldBy(ONE, image))).toBe(false);
    // Another has its own share.
    expect(leases.take(TWO, ids(50), 50)).toEqual(ids(50 - MOST_IN_HAND, MOST_IN_HAND + 1));
  });

  test('has room for as many as it has told', () => {
    leases.take(ONE, ids(MOST_IN_HAND), MOST_IN_HAND);
    leases.settle(imageId(1));
    leases.fail(ONE, imageId(2), unscanned('killed'));
    expect(leases.take(ONE, ids(5, 100), 5)).toEqual(ids(2, 100));
  });

  test('has room for as many as have run out, and keeps those that it renews', () => {
    leases.take(ONE, ids(MOST_IN_HAND), MOST_IN_HAND);
    timing.jump(LEASE_MS / 2);
    leases.renew(ONE, ids(30));
    timing.jump(LEASE_MS / 2);
    expect(leases.take(ONE, ids(5, 100), 5)).toEqual(ids(MOST_IN_HAND - 30, 100));
    expect(ids(30).every((image) => leases.isHeldBy(ONE, image))).toBe(true);
    timing.jump(LEASE_MS);
    expect(leases.take(ONE, ids(50), 50)).toHaveLength(MOST_IN_HAND);
  });

  test('that has its share in hand is given that again', () => {
    leases.take(ONE, ids(MOST_IN_HAND), MOST_IN_HAND);
    expect(leases.take(ONE, ids(MOST_IN_HAND), MOST_IN_HAND)).toEqual(ids(MOST_IN_HAND));
  });
});

describe('who waits', () => {
  const never = new AbortController().signal;
  afterEach(() => vi.useRealTimers());

  /** A wait, and what can be seen of it from outside. */
  function wait(images: readonly string[], signal: AbortSignal = never): { readonly promise: Promise<void>; isOver: boolean } {
    const promise = leases.untilChanged(images, signal).then(() => {
      waiting.isOver = true;
    });
    const waiting = { promise, isOver: false };
    return waiting;
  }

  test('is woken by a verdict on any of the images', async () => {
    leases.take(ONE, ids(3), 3);
    const [of, ofOthers] = [wait([A, B]), wait([imageId(3)])];
    await timing.settle();
    expect(of.isOver).toBe(false);
    leases.settle(B);
    await of.promise;
    await timing.settle();
    expect(ofOthers.isOver).toBe(false);
    leases.settle(imageId(3));
    await ofOthers.promise;
  });

  test('is woken when one of them was given up, all at once', async () => {
    leases.take(ONE, [A, B], 2);
    const all = [wait([A]), wait([A, B]), wait([A])];
    leases.fail(ONE, A, unscanned('killed'));
    await Promise.all(all.map(({ promise }) => promise));
  });

  test('is not woken by who renews', async () => {
    leases.take(ONE, [A], 1);
    const stop = new AbortController();
    const waiting = wait([A], stop.signal);
    leases.renew(ONE, [A]);
    leases.take(ONE, [A], 1);
    await timing.settle();
    expect(waiting.isOver).toBe(false);
    stop.abort();
    await waiting.promise;
  });

  test('is woken at the first end of a lease', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    leases.take(ONE, [A], 1);
    timing.jump(LEASE_MS - 10);
    leases.take(TWO, [B], 1);
    const waiting = wait([B, A]);
    await vi.advanceTimersByTimeAsync(9);
    await timing.settle();
    expect(waiting.isOver).toBe(false);
    await vi.advanceTimersByTimeAsync(2);
    await waiting.promise;
    timing.jump(10);
    expect(leases.take(THREE, [A, B], 2)).toEqual([A]);
  });

  test('is woken at once where one of them is free already', async () => {
    leases.take(ONE, [A], 1);
    await leases.untilChanged([A, B], never);
    leases.take(TWO, [B], 1);
    timing.jump(LEASE_MS);
    await leases.untilChanged([A], never);
  });

  test('is woken by the signal, one that was aborted before too', async () => {
    leases.take(ONE, [A], 1);
    const stop = new AbortController();
    const waiting = wait([A], stop.signal);
    await timing.settle();
    expect(waiting.isOver).toBe(false);
    stop.abort();
    await waiting.promise;
    await leases.untilChanged([A], stop.signal);
  });

  const ends: readonly (readonly [string, (stop: AbortController) => void])[] = [
    ['a verdict', () => leases.settle(A)],
    ['a failure', () => leases.fail(ONE, A, unscanned('killed'))],
    ['the end of a lease', () => void vi.advanceTimersByTime(LEASE_MS + 1)],
    ['the signal', (stop) => stop.abort()],
  ];
  test.each(ends)('leaves nothing behind after %s', async (_, end) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const woken = countWakes();
    leases.take(ONE, [A, B], 2);
    const stop = new AbortController();
    const waits = Array.from({ length: 3 }, () => leases.untilChanged([A, B], stop.signal));
    expect([getEventListeners(stop.signal, 'abort').length, vi.getTimerCount()]).toEqual([3, 3]);
    end(stop);
    await Promise.all(waits);
    expect([getEventListeners(stop.signal, 'abort').length, vi.getTimerCount()]).toEqual([0, 0]);
    expect(woken.times).toBe(3);
    leases.settle(A);
    leases.settle(B);
    expect(woken.times).toBe(3);
  });

  test('is a moment longer where many wait, so that there is more to tell', async () => {
    leases.take(ONE, [A, B], 2);
    const waits = Array.from({ length: 100 }, () => wait([A, B], never));
    await timing.settle();
    leases.settle(A);
    await timing.settle();
    expect(waits.filter(({ isOver }) => isOver)).toEqual([]);
    await timing.advance(100);
    await Promise.all(waits.map(({ promise }) => promise));
    // The next one waits by itself.
    const alone = wait([B], never);
    await timing.settle();
    leases.settle(B);
    await alone.promise;
  });

  test('is so for a second at most, however many wait', async () => {
    leases.take(ONE, [A], 1);
    const waits = Array.from({ length: 1_500 }, () => wait([A], never));
    await timing.settle();
    leases.settle(A);
    await timing.settle();
    timing.jump(1_000);
    await timing.advance(0);
    await Promise.all(waits.map(({ promise }) => promise));
  }, 60_000);

  test('is not held up by that when its signal aborts', async () => {
    leases.take(ONE, [A], 1);
    const stop = new AbortController();
    const waits = Array.from({ length: 100 }, () => wait([A], stop.signal));
    await timing.settle();
    leases.settle(A);
    await timing.settle();
    stop.abort();
    await Promise.all(waits.map(({ promise }) => promise));
  });

  test('leaves no lease behind that has run out, though nobody asks for the image again', () => {
    const set = vi.spyOn(Map.prototype, 'set');
    onTestFinished(() => set.mockRestore());
    leases.take(ONE, ids(20), 20);
    timing.jump(LEASE_MS);
    leases.take(worker(2, 'job-2'), [imageId(100)], 1);
    const kept = new Set(set.mock.contexts as Map<unknown, unknown>[]);
    const holding = (key: string): unknown[] => [...kept].filter((map) => map.has(key));
    expect([holding(ONE.podUid), holding('job-1')]).toEqual([[], [expect.anything()]]);
    // Nor what is known of a run that is long over.
    timing.jump(HOUR + 1);
    leases.take(worker(3, 'job-3'), [imageId(100)], 1);
    expect(holding('job-1')).toEqual([]);
  });

  test('leaves nothing behind of images that are never asked for again', async () => {
    const set = vi.spyOn(Map.prototype, 'set');
    onTestFinished(() => set.mockRestore());
    leases.take(ONE, [A, B], 2);
    const waiting = leases.untilChanged([A, B], never);
    const kept = new Set(set.mock.contexts as Map<unknown, unknown>[]);
    const holding = (): Map<unknown, unknown>[] => [...kept].filter((map) => [A, B, ONE.podUid].some((key) => map.has(key)));
    expect(holding()).toHaveLength(3);
    leases.settle(A);
    leases.settle(B);
    await waiting;
    expect(holding()).toEqual([]);
  });

  /** How often anybody who waits was woken. */
  function countWakes(): { times: number } {
    const woken = { times: 0 };
    const withResolvers = Promise.withResolvers.bind(Promise);
    const spy = vi.spyOn(Promise, 'withResolvers').mockImplementation(<T>() => {
      const { promise, resolve, reject } = withResolvers<T>();
      const counted = (value: T | PromiseLike<T>): void => {
        woken.times += 1;
        resolve(value);
      };
      return { promise, resolve: counted, reject };
    });
    onTestFinished(() => spy.mockRestore());
    return woken;
  }
});

function unscanned(reason: 'killed' | 'timeout'): ReadFailure {
  return { kind: 'unscanned', reason, message: `it was ${reason}` };
}

describe('an image that could not be read', () => {
  const UNSCANNABLE: ReadFailure = { kind: 'unscannable', error: 'no layer' };
  const failAt = (image: string, ...failures: readonly ReadFailure[]): void => {
    for (const [at, failure] of failures.entries()) leases.fail(worker(at + 1), image, failure);
  };

  test('is given up by the node that has tried, and free for another', () => {
    leases.take(ONE, [A], 1);
    leases.fail(ONE, A, unscanned('killed'));
    expect(leases.failureOf(ONE, A)).toEqual(unscanned('killed'));
    expect(leases.failureOf(TWO, A)).toBeNull();
    expect(leases.failureOf(ONE, B)).toBeNull();
    expect(leases.take(TWO, [A], 1)).toEqual([A]);
  });

  test('is given up for all when three nodes have tried; each of them keeps to what it has seen', () => {
    failAt(A, unscanned('killed'), unscanned('timeout'));
    // The same node again is no other.
    leases.fail({ ...ONE, podUid: 'its next pod' }, A, unscanned('killed'));
    expect([THREE, FOUR].map((of) => leases.failureOf(of, A))).toEqual([null, null]);
    leases.fail(THREE, A, UNSCANNABLE);
    expect([ONE, TWO, THREE].map((of) => leases.failureOf(of, A))).toEqual([unscanned('killed'), unscanned('timeout'), UNSCANNABLE]);
    expect(leases.failureOf(FOUR, A)).toEqual({
      kind: 'unscanned',
      reason: 'scan-failed',
      message: '3 nodes could not read it, the last of them: no layer',
    });
    failAt(B, UNSCANNABLE, UNSCANNABLE, unscanned('killed'));
    expect(leases.failureOf(FOUR, B)).toMatchObject({ message: '3 nodes could not read it, the last of them: it was killed' });
  });

  test('is unscannable where the node itself or all that have tried say so, with the same error', () => {
    failAt(A, UNSCANNABLE, UNSCANNABLE);
    expect([ONE, TWO, THREE].map((of) => leases.failureOf(of, A))).toEqual([UNSCANNABLE, UNSCANNABLE, null]);
    leases.fail(THREE, A, UNSCANNABLE);
    expect(leases.failureOf(FOUR, A)).toEqual(UNSCANNABLE);
    // Damaged on one node, or on each in another way, it may be whole here.
    failAt(B, UNSCANNABLE, { kind: 'unscannable', error: 'no manifest' }, UNSCANNABLE);
    expect(leases.failureOf(FOUR, B)?.kind).toBe('unscanned');
    failAt(imageId(3), unscanned('killed'), UNSCANNABLE, UNSCANNABLE);
    expect(leases.failureOf(FOUR, imageId(3))?.kind).toBe('unscanned');
  });

  test('is for a node what it has said last', () => {
    failAt(A, UNSCANNABLE);
    failAt(A, unscanned('killed'), UNSCANNABLE, UNSCANNABLE);
    expect(leases.failureOf(ONE, A)).toEqual(unscanned('killed'));
    expect(leases.failureOf(FOUR, A)?.kind).toBe('unscanned');
  });

  /** Its holder is not heard of any more. */
  const lapse = (of: Worker, image: string): void => {
    expect(leases.take(of, [image], 1)).toEqual([image]);
    timing.jump(LEASE_MS);
  };

  test('by three nodes in time, of which nothing is heard, is given up for all', () => {
    lapse(ONE, A);
    lapse(TWO, A);
    // The same node again is no other.
    lapse(TWO, A);
    lapse(THREE, A);
    for (const of of [ONE, TWO, THREE, FOUR]) {
      expect(leases.take(of, [A], 1)).toEqual([]);
      expect(leases.failureOf(of, A)).toMatchObject({
        kind: 'unscanned',
        reason: 'timeout',
        message: expect.stringContaining('3 nodes') as string,
      });
    }
    // Not even by saying to have it.
    leases.renew(ONE, [A]);
    expect(leases.isHeldBy(ONE, A)).toBe(false);
    expect(leases.take(worker(4, 'job-2'), [A], 1)).toEqual([A]);
  });

  test('in time by some, and at all by others, is given up as that; never as unscannable', () => {
    lapse(ONE, A);
    for (const of of [TWO, THREE]) leases.fail(of, A, UNSCANNABLE);
    expect(leases.failureOf(FOUR, A)).toMatchObject({ kind: 'unscanned', reason: 'scan-failed' });
    lapse(ONE, B);
    for (const of of [TWO, THREE]) leases.fail(of, B, unscanned('timeout'));
    expect(leases.failureOf(FOUR, B)).toMatchObject({
      kind: 'unscanned',
      reason: 'timeout',
      message: expect.stringContaining('it was timeout') as string,
    });
  });

  test('in time by one node may be told by that yet, also when another reads it now', () => {
    lapse(ONE, A);
    expect(leases.take(TWO, [A], 1)).toEqual([A]);
    expect([ONE, TWO, THREE].map((of) => leases.mayTell(of, A))).toEqual([true, true, false]);
    // Of another run, it was leased nothing.
    expect(leases.mayTell({ ...ONE, job: 'job-2' }, A)).toBe(false);
    leases.fail(ONE, A, unscanned('timeout'));
    expect([leases.mayTell(ONE, A), leases.isHeldBy(TWO, A)]).toEqual([false, true]);
    expect(leases.failureOf(ONE, A)).toEqual(unscanned('timeout'));
    expect(leases.failureOf(THREE, A)).toBeNull();
  });

  test('keeps no more of one node than there may be; that is given no others, and others are', () => {
    for (const image of ids(2_000)) leases.fail(ONE, image, unscanned('killed'));
    expect(leases.take(ONE, [imageId(3_000)], 1)).toEqual([]);
    expect(leases.failureOf(ONE, imageId(3_000))).toMatchObject({
      kind: 'unscanned',
      message: expect.stringContaining('2000 images') as string,
    });
    leases.fail(ONE, imageId(3_001), UNSCANNABLE);
    for (const of of [TWO, THREE]) leases.fail(of, imageId(3_001), UNSCANNABLE);
    expect(leases.failureOf(FOUR, imageId(3_001))).toBeNull();
    expect(leases.failureOf(ONE, imageId(5))).toEqual(unscanned('killed'));
    expect(leases.take(TWO, [imageId(3_000)], 1)).toEqual([imageId(3_000)]);
  });

  test('may be tried again in another run', () => {
    failAt(A, UNSCANNABLE, UNSCANNABLE, UNSCANNABLE);
    expect(leases.failureOf(worker(1, 'job-2'), A)).toBeNull();
    leases.fail(worker(2, 'job-2'), A, unscanned('killed'));
    expect(leases.failureOf(worker(1, 'job-2'), A)).toBeNull();
    expect(leases.failureOf(FOUR, A)).toEqual(UNSCANNABLE);
  });

  test('is forgotten with its run, an hour after the last was heard of that', () => {
    leases.fail(ONE, A, unscanned('killed'));
    timing.jump(HOUR);
    leases.fail(worker(1, 'job-2'), A, unscanned('killed'));
    expect(leases.failureOf(ONE, A)).not.toBeNull();
    leases.fail(ONE, B, unscanned('killed'));
    timing.jump(HOUR);
    leases.fail(worker(1, 'job-3'), A, unscanned('killed'));
    // What was told of one image keeps what is known of the others.
    expect(leases.failureOf(ONE, A)).not.toBeNull();
    timing.jump(1);
    leases.fail(worker(1, 'job-3'), A, unscanned('killed'));
    expect(leases.failureOf(ONE, A)).toBeNull();
    expect(leases.failureOf(worker(1, 'job-2'), A)).toBeNull();
    expect(leases.failureOf(worker(1, 'job-3'), A)).not.toBeNull();
  });
});
