import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseCron, type Schedule } from '../schedule.ts';
import type { MaintenanceWindow } from './maintenance-window.ts';
import {
  NEW_SCHEDULE_STATE,
  planNextAutomaticRun,
  recordRunEnd,
  recordRunStart,
  type NextRunInput,
  type ScheduleState,
} from './next-run.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;
const at = (text: string): number => Date.parse(text);
/** A Saturday. */
const NOW = at('2026-11-21T12:00:00Z');

const every = (intervalMs: number, beginImmediately = true): Schedule => ({ kind: 'interval', intervalMs, beginImmediately });
function cron(expression: string, timeZone = 'UTC'): Schedule & { kind: 'cron' } {
  const parsed = parseCron(expression, timeZone);
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.schedule;
}
const nights: MaintenanceWindow = { opens: cron('0 1 * * *'), lengthMs: 4 * HOUR };

/** A state in which the last run went on for an hour from `startedAt`. */
function ran(startedAt: number, plannedBy: Schedule, lastedMs = HOUR): ScheduleState {
  const { state } = plan({ schedule: plannedBy, now: startedAt });
  return recordRunEnd(recordRunStart(state, startedAt), startedAt + lastedMs);
}

function plan(input: Partial<NextRunInput>) {
  return planNextAutomaticRun({ schedule: every(DAY), window: null, state: NEW_SCHEDULE_STATE, isRunUnderWay: false, now: NOW, ...input });
}

/** When the next run is due: `due`, or a time. */
function nextOf(input: Partial<NextRunInput>): string {
  const { next } = plan(input);
  return next.kind === 'waiting' ? new Date(next.at).toISOString() : next.kind;
}

describe('the first run', () => {
  test.each<[string, Partial<NextRunInput>, string]>([
    ['at once', {}, 'due'],
    ['after an interval, if not to begin at once', { schedule: every(DAY, false) }, '2026-11-22T12:00:00.000Z'],
    ['at the time of a cron expression', { schedule: cron('0 3 * * *') }, '2026-11-22T03:00:00.000Z'],
    ['in the maintenance window', { window: nights }, '2026-11-22T01:00:00.000Z'],
    ['at once, in the maintenance window', { window: nights, now: at('2026-11-21T02:00:00Z') }, 'due'],
    ['collector off: none', { schedule: null }, 'off'],
    ['collector off, long after the last one: none', { schedule: null, state: ran(NOW - YEAR, every(DAY)) }, 'off'],
  ])('%s', (_case, input, expected) => {
    expect(nextOf(input)).toBe(expected);
  });

  test('that waits for an interval is not put off by restarts', () => {
    const schedule = every(DAY, false);
    const { state } = plan({ schedule });
    expect(nextOf({ schedule, state, now: NOW + 23 * HOUR })).toBe('2026-11-22T12:00:00.000Z');
    expect(nextOf({ schedule, state, now: NOW + DAY })).toBe('due');
  });
});

describe('the next run', () => {
  const weekly = cron('0 3 * * 0');
  test.each<[string, Partial<NextRunInput>, string]>([
    ['an interval after the start of the last', { state: ran(NOW - 2 * HOUR, every(DAY)) }, '2026-11-22T10:00:00.000Z'],
    ['a restart makes no extra run', { state: ran(NOW - HOUR, every(DAY)), now: NOW }, '2026-11-22T11:00:00.000Z'],
    ['missed while no controller ran: at once', { state: ran(NOW - 9 * DAY, every(DAY)) }, 'due'],
    ['none while one goes on', { state: ran(NOW - 9 * DAY, every(DAY)), isRunUnderWay: true }, 'under-way'],
    ['a shorter interval holds at once', { schedule: every(HOUR), state: ran(NOW - 2.5 * HOUR, every(DAY)) }, 'due'],
    ['a longer one too', { schedule: every(7 * DAY), state: ran(NOW - 2 * DAY, every(DAY)) }, '2026-11-26T12:00:00.000Z'],
    [
      'what a run that is longer than the interval misses is left out',
      { schedule: every(HOUR), state: ran(NOW - 3.5 * HOUR, every(HOUR), 3.25 * HOUR), now: NOW - 0.2 * HOUR },
      '2026-11-21T12:30:00.000Z',
    ],
    ['a run whose end was never stored', { state: recordRunStart(NEW_SCHEDULE_STATE, NOW - HOUR) }, '2026-11-22T11:00:00.000Z'],
    ['cron: the next time', { schedule: weekly, state: ran(at('2026-11-15T03:00:00Z'), weekly) }, '2026-11-22T03:00:00.000Z'],
    [
      'cron: a time that is half an hour past, as after a restart',
      { schedule: weekly, state: ran(at('2026-11-15T03:00:00Z'), weekly), now: at('2026-11-22T03:30:00Z') },
      'due',
    ],
    [
      'cron: a time that is half a day past is left out',
      { schedule: weekly, state: ran(at('2026-11-15T03:00:00Z'), weekly), now: at('2026-11-22T15:00:00Z') },
      '2026-11-29T03:00:00.000Z',
    ],
    [
      'cron: a time that has had its run',
      { schedule: weekly, state: ran(at('2026-11-22T03:00:00Z'), weekly, MINUTE), now: at('2026-11-22T03:30:00Z') },
      '2026-11-29T03:00:00.000Z',
    ],
    [
      'cron: another expression is for the times to come',
      { schedule: cron('30 11 * * *'), state: ran(NOW - DAY, weekly) },
      '2026-11-22T11:30:00.000Z',
    ],
    [
      'cron: the times while a run goes on are left out',
      { schedule: cron('0 * * * *'), state: ran(NOW - 3 * HOUR, cron('0 * * * *'), 2.8 * HOUR), now: NOW - 0.1 * HOUR },
      '2026-11-21T12:00:00.000Z',
    ],
    [
      'cron in a time zone',
      { schedule: cron('0 3 * * *', 'Asia/Tokyo'), state: ran(NOW - HOUR, cron('0 3 * * *', 'Asia/Tokyo')) },
      '2026-11-21T18:00:00.000Z',
    ],
    ['due by day: in the next window', { window: nights, state: ran(NOW - DAY, every(DAY)) }, '2026-11-22T01:00:00.000Z'],
    ['due in the window: then', { window: nights, state: ran(at('2026-11-21T03:00:00Z'), every(DAY)) }, '2026-11-22T03:00:00.000Z'],
    [
      'due after the window closes: in the one after',
      { window: nights, state: ran(at('2026-11-21T05:00:00Z'), every(DAY)) },
      '2026-11-23T01:00:00.000Z',
    ],
    ['overdue, with the window open', { window: nights, state: ran(NOW - 9 * DAY, every(DAY)), now: at('2026-11-22T04:59:00Z') }, 'due'],
    [
      'overdue, with the window just closed',
      { window: nights, state: ran(NOW - 9 * DAY, every(DAY)), now: at('2026-11-22T05:00:00Z') },
      '2026-11-23T01:00:00.000Z',
    ],
    [
      'cron outside the window: in the next one, however much later',
      { schedule: cron('0 12 * * *'), window: nights, state: ran(NOW - HOUR, cron('0 12 * * *'), MINUTE), now: NOW + 3 * HOUR },
      '2026-11-22T01:00:00.000Z',
    ],
  ])('%s', (_case, input, expected) => {
    expect(nextOf(input)).toBe(expected);
  });

  test('is looked at again within a minute, however far it is', () => {
    expect(plan({ schedule: every(90 * DAY, false) }).next).toEqual({ kind: 'waiting', at: NOW + 90 * DAY, lookAgainAt: NOW + MINUTE });
    expect(plan({ schedule: every(1000, false) }).next).toEqual({ kind: 'waiting', at: NOW + 1000, lookAgainAt: NOW + 1000 });
  });
});

describe('a clock that is set', () => {
  test('back by a year: the interval begins anew, and there is no extra run', () => {
    const { next, state } = plan({ state: ran(NOW + YEAR, every(DAY)) });
    expect(next).toMatchObject({ kind: 'waiting', at: NOW + DAY });
    expect(nextOf({ state, now: NOW + HOUR })).toBe('2026-11-22T12:00:00.000Z');
    expect(nextOf({ state, now: NOW + DAY })).toBe('due');
  });

  test('forward by a year: one run, not a year of them', () => {
    const late = NOW + YEAR;
    const { next, state } = plan({ state: ran(NOW - HOUR, every(DAY)), now: late });
    expect(next.kind).toBe('due');
    const after = recordRunEnd(recordRunStart(state, late), late + HOUR);
    expect(plan({ state: after, now: late + 2 * HOUR }).next).toMatchObject({ kind: 'waiting', at: late + DAY });
  });

  test('back by seconds, cron: the time that has just had its run has none again', () => {
    const schedule = cron('0 12 * * *');
    expect(nextOf({ schedule, state: ran(NOW, schedule, 0), now: NOW - 900 })).toBe('2026-11-22T12:00:00.000Z');
  });

  test('back by a year, cron: its times come as they do', () => {
    const schedule = cron('0 3 * * *');
    expect(nextOf({ schedule, state: ran(NOW + YEAR, schedule) })).toBe('2026-11-22T03:00:00.000Z');
  });

  test('forward by a year while a run goes on, and back after it', () => {
    const begun = recordRunStart(plan({}).state, NOW);
    const { next } = plan({ state: recordRunEnd(begun, NOW + YEAR), now: NOW + 2 * HOUR });
    expect(next).toMatchObject({ kind: 'waiting', at: NOW + DAY });
  });
});

interface ClockStep {
  readonly afterMs: number;
  readonly byMs: number;
}

const DAYS = 10;
const LOOK_MS = 30 * MINUTE;

/** The real times at which runs begin, with a clock that is set now and then and a controller that keeps nothing but what it stores. */
function simulate(schedule: Schedule, steps: readonly ClockStep[], runMs: number): number[] {
  const begun: number[] = [];
  let state = NEW_SCHEDULE_STATE;
  let endsAt: number | null = null;
  for (let real = 0; real < DAYS * DAY; real += LOOK_MS) {
    const clock = NOW + real + steps.filter(({ afterMs }) => afterMs <= real).reduce((sum, { byMs }) => sum + byMs, 0);
    if (endsAt !== null && real >= endsAt) {
      state = recordRunEnd(state, clock);
      endsAt = null;
    }
    // All that a restart leaves is what was stored.
    const stored = JSON.parse(JSON.stringify(state)) as ScheduleState;
    const planned = planNextAutomaticRun({ schedule, window: null, state: stored, isRunUnderWay: endsAt !== null, now: clock });
    ({ state } = planned);
    if (planned.next.kind !== 'due') continue;
    begun.push(real);
    state = recordRunStart(state, clock);
    endsAt = real + runMs;
  }
  return begun;
}

const stepArbitrary = fc.record({
  afterMs: fc.integer({ min: 0, max: DAYS }).map((days) => days * DAY + HOUR / 2),
  byMs: fc.constantFrom(-YEAR, YEAR, -HOUR, HOUR, -30_000, 30_000),
});
const intervals = fc.constantFrom(every(DAY), every(6 * HOUR, false), every(HOUR));
const crons = fc.constantFrom(cron('0 */6 * * *'), cron('0 3 * * *'));

test.each<[string, fc.Arbitrary<Schedule>, number]>([
  ['intervals', intervals, 100],
  // To find the next time of a cron expression takes a while.
  ['cron expressions', crons, 10],
])('whatever the clock does, runs neither pile up nor stop: %s', (_case, schedules, numRuns) => {
  const input = fc.tuple(schedules, fc.array(stepArbitrary, { maxLength: 4 }), fc.integer({ min: 0, max: 8 * HOUR }));
  fc.assert(
    fc.property(input, ([schedule, steps, runMs]) => {
      const begun = simulate(schedule, steps, runMs);
      const intervalMs = schedule.kind === 'interval' ? schedule.intervalMs : schedule.expression.startsWith('0 3') ? DAY : 6 * HOUR;
      const gaps = begun.slice(1).map((real, index) => real - (begun[index] ?? 0));
      expect(begun.length).toBeGreaterThan(0);
      expect(gaps.every((gap) => gap >= runMs)).toBe(true);
      // A step makes at most one run come early, and puts one off by no more than an interval.
      if (runMs < intervalMs) expect(gaps.filter((gap) => gap < intervalMs - LOOK_MS).length).toBeLessThanOrEqual(steps.length);
      expect(Math.max(0, ...gaps)).toBeLessThanOrEqual((steps.length + 1) * intervalMs + runMs + 2 * LOOK_MS);
    }),
    { numRuns },
  );
});

test('without a step of the clock, runs begin at every interval, each once', () => {
  expect(simulate(every(DAY), [], HOUR)).toEqual(Array.from({ length: DAYS }, (_, day) => day * DAY));
  expect(simulate(cron('0 3 * * *'), [], HOUR)).toEqual(Array.from({ length: DAYS }, (_, day) => day * DAY + 15 * HOUR));
});

test('with a maintenance window, no run begins outside it', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 100 * DAY }),
      fc.integer({ min: 0, max: 100 * DAY }),
      fc.oneof(intervals, crons),
      (last, since, schedule) => {
        const now = NOW + last + since;
        const { next } = plan({ schedule, window: nights, state: ran(NOW + last, schedule), now });
        const begins = next.kind === 'waiting' ? next.at : now;
        expect(begins).toBeGreaterThanOrEqual(now);
        expect(new Date(begins).getUTCHours()).toBeGreaterThanOrEqual(1);
        expect(new Date(begins).getUTCHours()).toBeLessThan(5);
      },
    ),
  );
});
