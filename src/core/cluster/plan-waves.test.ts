import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { countOfMaxParallel, parseMaxParallel, type MaxParallel } from './max-parallel.ts';
import { DEFAULT_WAVE_TIMEOUTS, planWaves, type EndedWave, type NodeProgress, type WaveNode } from './plan-waves.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const NOW = Date.UTC(2026, 10, 21, 12);
const timeouts = DEFAULT_WAVE_TIMEOUTS;

const WAITING: NodeProgress = { kind: 'waiting' };
const ENDED: NodeProgress = { kind: 'ended' };
const pending = (ms: number): NodeProgress => ({ kind: 'pending', since: NOW - ms });
const running = (ms: number): NodeProgress => ({ kind: 'running', since: NOW - ms });

function named(...progress: readonly NodeProgress[]): WaveNode[] {
  return progress.map((found, at) => ({ name: String.fromCharCode(97 + at), progress: found }));
}

function plan(nodes: readonly WaveNode[], maxParallel = 2) {
  return planWaves({ nodes, maxParallel, timeouts, now: NOW });
}

describe('planWaves', () => {
  test.each<[string, WaveNode[], string[]]>([
    ['starts as many as may be in flight, in order', named(WAITING, WAITING, WAITING), ['a', 'b']],
    ['one for each that has ended', named(ENDED, running(0), WAITING, WAITING), ['c']],
    ['none while the window is full', named(pending(0), running(0), WAITING), []],
    ['none while it is more than full, as after a change of the limit', named(running(0), running(0), running(0), WAITING), []],
    ['none when all have ended', named(ENDED, ENDED), []],
    ['none for no node', [], []],
    ['none in the place of one that has run out of time, until that has ended', named(pending(HOUR), running(0), WAITING), []],
  ])('%s', (_case, nodes, expected) => {
    expect(plan(nodes).start).toEqual(expected);
  });

  test.each<[string, NodeProgress, string | null]>([
    ['pending, in time', pending(5 * MINUTE - 1), null],
    ['pending, too long', pending(5 * MINUTE), 'its worker pod did not start within 5 minutes'],
    ['running, in time', running(2 * HOUR - 1), null],
    ['running longer than it may be pending', running(6 * MINUTE), null],
    ['running, too long', running(2 * HOUR), 'its worker pod did not end within 120 minutes'],
    ['waiting', WAITING, null],
    ['ended', ENDED, null],
    ['pending since a time that is still to come', pending(-365 * 24 * HOUR), null],
  ])('%s', (_case, progress, message) => {
    expect(plan(named(progress)).timedOut.map((node) => node.message)).toEqual(message === null ? [] : [message]);
  });

  test.each([
    [20_000, '20 seconds'],
    [1_000, '1 second'],
    [60_000, '1 minute'],
    [90_000, '90 seconds'],
    [5 * 60_000, '5 minutes'],
  ])('says a time of %d ms as %s', (startMs, said) => {
    const timeouts = { startMs, runMs: HOUR };
    const { timedOut } = planWaves({ nodes: named(pending(startMs)), maxParallel: 1, timeouts, now: NOW });
    expect(timedOut.map(({ message }) => message)).toEqual([`its worker pod did not start within ${said}`]);
  });

  test.each<[string, WaveNode[], number | null]>([
    ['nothing is in flight', named(ENDED), null],
    ['the deadline of a pod that is made now', named(WAITING), NOW + 5 * MINUTE],
    ['the earliest deadline', named(running(HOUR), pending(2 * MINUTE), running(119 * MINUTE)), NOW + MINUTE],
    ['one that has passed: now', named(pending(HOUR), WAITING), NOW],
    ['a time that is still to come: from now', named(pending(-HOUR)), NOW + 5 * MINUTE],
  ])('looks again: %s', (_case, nodes, expected) => {
    expect(plan(nodes).lookAgainAt).toBe(expected);
  });

  test('a limit of nothing is one node at a time, else a run would not end', () => {
    expect(plan(named(WAITING, WAITING), 0).start).toEqual(['a']);
    expect(plan(named(WAITING, WAITING), 1.9).start).toEqual(['a']);
  });
});

describe('planWaves with a pause', () => {
  const PAUSE = 10 * MINUTE;
  const inWave = (wave: number, ...progress: readonly NodeProgress[]): Omit<WaveNode, 'name'>[] =>
    progress.map((found) => ({ progress: found, wave }));
  const paused = (nodes: readonly Omit<WaveNode, 'name'>[], ended: EndedWave | null = null, maxParallel = 2) =>
    planWaves({
      nodes: nodes.map((node, at) => ({ ...node, name: String.fromCharCode(97 + at) })),
      maxParallel,
      pause: { ms: PAUSE, ended },
      timeouts,
      now: NOW,
    });
  const waits = { progress: WAITING };
  const since = (ms: number, wave = 1): EndedWave => ({ wave, since: NOW - ms });

  test.each<[string, Omit<WaveNode, 'name'>[], EndedWave | null, object]>([
    ['begins with the first wave at once', [waits, waits, waits], null, { start: ['a', 'b'], wave: 1, pausedUntil: null }],
    ['begins with none as one of a wave has ended', [...inWave(1, ENDED, running(0)), waits], null, { start: [], ended: null }],
    [
      'pauses when all of a wave have ended',
      [...inWave(1, ENDED, ENDED), waits],
      null,
      { start: [], ended: since(0), pausedUntil: NOW + PAUSE, lookAgainAt: NOW + PAUSE },
    ],
    ['goes on with the pause', [...inWave(1, ENDED), waits], since(PAUSE - 1), { start: [], pausedUntil: NOW + 1, lookAgainAt: NOW + 1 }],
    [
      'begins with the next wave after it',
      [...inWave(1, ENDED), waits, waits, waits],
      since(PAUSE),
      { start: ['b', 'c'], wave: 2, pausedUntil: null, lookAgainAt: NOW + 5 * MINUTE },
    ],
    ['does not take the pause after an earlier wave for that after this one', [...inWave(2, ENDED), waits], since(PAUSE, 1), { start: [] }],
    ['counts a time that is still to come from now', [...inWave(1, ENDED), waits], since(-PAUSE), { pausedUntil: NOW + PAUSE }],
    [
      'fills up a wave that was not begun in full',
      [...inWave(1, ENDED), ...inWave(2, running(0)), waits, waits],
      null,
      { start: ['c'], wave: 2 },
    ],
    ['fills up none that has ended', [...inWave(1, ENDED), waits, waits], since(0), { start: [] }],
    ['has no pause when nothing waits', inWave(1, ENDED, ENDED), null, { start: [], pausedUntil: null, lookAgainAt: null }],
    ['waits for pods that do not say their wave', [{ progress: running(0) }, waits, waits], null, { start: ['b'], wave: 1 }],
    [
      'takes a node that waits again for one of no wave',
      [...inWave(1, ENDED), { ...waits, wave: 2 }],
      since(PAUSE),
      { start: ['b'], wave: 2 },
    ],
  ])('%s', (_case, nodes, ended, expected) => {
    expect(paused(nodes, ended)).toMatchObject(expected);
  });

  test('without one, has no waves', () => {
    expect(plan(named(ENDED, running(0), WAITING))).toMatchObject({ start: ['c'], wave: null, ended: null, pausedUntil: null });
  });
});

describe('maxParallel', () => {
  test.each<[string | number, MaxParallel]>([
    [20, { kind: 'count', count: 20 }],
    ['20', { kind: 'count', count: 20 }],
    [' 10% ', { kind: 'percent', percent: 10 }],
    ['100%', { kind: 'percent', percent: 100 }],
  ])('reads %j', (value, maxParallel) => {
    expect(parseMaxParallel(value)).toEqual({ ok: true, maxParallel });
  });

  test.each([0, -1, 1.5, NaN, '', '0%', '101%', '1.5%', 'all', '10 %', '-5%', '1e3'])('refuses %j', (value) => {
    expect(parseMaxParallel(value)).toMatchObject({ ok: false, message: expect.stringContaining('"10%"') as string });
  });

  test.each<[MaxParallel | null, number, number]>([
    [null, 3, 10],
    [null, 100, 10],
    [null, 273, 27],
    [null, 5000, 200],
    [{ kind: 'count', count: 1 }, 5000, 1],
    [{ kind: 'count', count: 500 }, 5000, 500],
    [{ kind: 'percent', percent: 25 }, 10, 2],
    [{ kind: 'percent', percent: 1 }, 10, 1],
    [{ kind: 'percent', percent: 100 }, 5000, 5000],
    [{ kind: 'percent', percent: 10 }, 0, 1],
  ])('%j of %d nodes is %d', (setting, nodes, expected) => {
    expect(countOfMaxParallel(setting, nodes)).toBe(expected);
  });
});

/** How a node takes its pod: when its container runs, and when that ends; null: never. */
interface Fate {
  readonly startsAfterMs: number | null;
  readonly endsAfterMs: number | null;
}

interface Pod {
  readonly createdAt: number;
  readonly fate: Fate;
}

/** A whole run as its controller sees it, which looks when it was told to, and at random besides; its pods do what their fates say. */
function simulate(fates: readonly Fate[], maxParallel: number, looks: readonly number[]) {
  const pods = new Map<string, Pod>();
  const ended = new Set<string>();
  const starts: string[] = [];
  let now = NOW;
  let mostInFlight = 0;
  const progressOf = (name: string): NodeProgress => {
    const pod = pods.get(name);
    if (pod === undefined) return WAITING;
    const { startsAfterMs, endsAfterMs } = pod.fate;
    if (ended.has(name)) return ENDED;
    if (startsAfterMs === null || now < pod.createdAt + startsAfterMs) return { kind: 'pending', since: pod.createdAt };
    const startedAt = pod.createdAt + startsAfterMs;
    return endsAfterMs === null || now < startedAt + endsAfterMs ? { kind: 'running', since: startedAt } : ENDED;
  };
  for (let look = 0; look < 10_000; look += 1) {
    const nodes = fates.map((_, at) => ({ name: String(at), progress: progressOf(String(at)) }));
    const { start, timedOut, lookAgainAt } = planWaves({ nodes, maxParallel, timeouts, now });
    for (const { name } of timedOut) ended.add(name);
    for (const name of start) {
      starts.push(name);
      pods.set(name, { createdAt: now, fate: fates[Number(name)] ?? { startsAfterMs: null, endsAfterMs: null } });
    }
    const inFlight = [...pods.keys()].filter((name) => ['pending', 'running'].includes(progressOf(name).kind)).length;
    mostInFlight = Math.max(mostInFlight, inFlight + timedOut.length);
    if (lookAgainAt === null) return { starts, mostInFlight, endedAt: now };
    now = Math.min(lookAgainAt, now + (looks[look % Math.max(looks.length, 1)] ?? Number.POSITIVE_INFINITY));
  }
  throw new Error('the run does not end');
}

const fate: fc.Arbitrary<Fate> = fc.record({
  startsAfterMs: fc.option(fc.integer({ min: 0, max: 6 * MINUTE })),
  endsAfterMs: fc.option(fc.integer({ min: 0, max: 3 * HOUR })),
});

test('every run ends, in its time, with every node started once and never more in flight than may be', () => {
  const looks = fc.array(fc.integer({ min: MINUTE, max: HOUR }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(fc.array(fate, { minLength: 1, maxLength: 15 }), fc.integer({ min: 1, max: 5 }), looks, (fates, maxParallel, lookEvery) => {
      const { starts, mostInFlight, endedAt } = simulate(fates, maxParallel, lookEvery);
      expect(starts).toEqual(fates.map((_, at) => String(at)));
      expect(mostInFlight).toBeLessThanOrEqual(maxParallel);
      const longest = timeouts.startMs + timeouts.runMs;
      expect(endedAt - NOW).toBeLessThanOrEqual(Math.ceil(fates.length / maxParallel) * (longest + HOUR));
    }),
  );
});

interface BegunNode {
  readonly node: number;
  readonly wave: number;
  readonly at: number;
}

/** What befalls a controller: it looks after so long at most, makes only so many of the pods that it is to make, and then another one takes over. */
interface Look {
  readonly afterMs: number;
  readonly makes: number;
  readonly isReplaced: boolean;
}

function simulateWaves(fates: readonly Fate[], { maxParallel, pauseMs }: { maxParallel: number; pauseMs: number }, looks: readonly Look[]) {
  const begun = new Map<number, BegunNode>();
  const endedAt = new Map<number, number>();
  let ended: EndedWave | null = null;
  let now = NOW;
  const progressOf = (node: number): NodeProgress => {
    const at = begun.get(node)?.at;
    if (at === undefined) return WAITING;
    const { startsAfterMs, endsAfterMs } = fates[node] ?? { startsAfterMs: null, endsAfterMs: null };
    if (endedAt.has(node)) return ENDED;
    if (startsAfterMs === null || now < at + startsAfterMs) return { kind: 'pending', since: at };
    const end = at + startsAfterMs + (endsAfterMs ?? Infinity);
    if (now < end) return { kind: 'running', since: at + startsAfterMs };
    endedAt.set(node, end);
    return ENDED;
  };
  for (let look = 0; look < 10_000; look += 1) {
    const { afterMs, makes, isReplaced } = looks[look] ?? { afterMs: Infinity, makes: Infinity, isReplaced: false };
    const nodes = fates.map((_, node) => {
      const wave = begun.get(node)?.wave;
      return { name: String(node), progress: progressOf(node), ...(wave === undefined ? {} : { wave }) };
    });
    const plan = planWaves({ nodes, maxParallel, pause: { ms: pauseMs, ended }, timeouts, now });
    for (const { name } of plan.timedOut) endedAt.set(Number(name), now);
    for (const name of plan.start.slice(0, makes)) begun.set(Number(name), { node: Number(name), wave: plan.wave ?? 0, at: now });
    ended = isReplaced ? null : plan.ended;
    if (plan.lookAgainAt === null) return { begun: [...begun.values()], endedAt, now };
    now = Math.min(plan.lookAgainAt, now + afterMs);
  }
  throw new Error('the run does not end');
}

test('a run with pauses ends, each node in one wave, no wave too large, and the whole pause between two, whoever takes over when', () => {
  const look = fc.record({
    afterMs: fc.integer({ min: MINUTE, max: HOUR }),
    makes: fc.integer({ min: 0, max: 5 }),
    isReplaced: fc.boolean(),
  });
  const setting = fc.record({ maxParallel: fc.integer({ min: 1, max: 5 }), pauseMs: fc.integer({ min: 1, max: 3 * HOUR }) });
  const someFates = fc.array(fate, { minLength: 1, maxLength: 15 });
  fc.assert(
    fc.property(someFates, setting, fc.array(look, { maxLength: 30 }), (fates, { maxParallel, pauseMs }, looks) => {
      const { begun, endedAt, now } = simulateWaves(fates, { maxParallel, pauseMs }, looks);
      expect(begun.map(({ node }) => node)).toEqual(fates.map((_, node) => node));
      const waves = [...Map.groupBy(begun, ({ wave }) => wave).values()];
      for (const [at, wave] of waves.entries()) {
        expect(wave.length).toBeLessThanOrEqual(maxParallel);
        const before = waves[at - 1] ?? [];
        const beginning = Math.min(...wave.map((node) => node.at));
        for (const { node } of before) expect(beginning - (endedAt.get(node) ?? Infinity)).toBeGreaterThanOrEqual(pauseMs);
      }
      // Whoever takes over begins a pause anew, once.
      const longest = timeouts.startMs + timeouts.runMs + pauseMs + HOUR;
      expect(now - NOW).toBeLessThanOrEqual((waves.length + looks.length) * longest);
    }),
  );
});

test('a run with pauses that nobody disturbs is of as few waves as it takes', () => {
  const fates = fc.array(fc.record({ startsAfterMs: fc.constant(0), endsAfterMs: fc.integer({ min: 0, max: HOUR }) }), { minLength: 1 });
  fc.assert(
    fc.property(fates, fc.integer({ min: 1, max: 5 }), (all, maxParallel) => {
      const { begun } = simulateWaves(all, { maxParallel, pauseMs: MINUTE }, []);
      expect(new Set(begun.map(({ wave }) => wave)).size).toBe(Math.ceil(all.length / maxParallel));
    }),
  );
});
