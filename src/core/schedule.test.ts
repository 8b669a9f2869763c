import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseCron, planNextRun, planWait, type Schedule } from './schedule.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;
const at = (text: string): number => Date.parse(text);

const every = (intervalMs: number, beginImmediately = true): Schedule => ({ kind: 'interval', intervalMs, beginImmediately });
function cron(expression: string, timeZone: string | null = 'UTC'): Schedule {
  const parsed = parseCron(expression, timeZone);
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.schedule;
}

describe('parseCron', () => {
  test.each([
    ['0 3 * *', /five fields/],
    ['0 0 3 * * *', /five fields/],
    ['@daily', /five fields/],
    ['61 * * * *', /minute/],
    ['x * * * *', /./],
    ['0 0 31 2 *', /never/],
    ['', /five fields/],
  ])('refuses "%s"', (text, message) => {
    const parsed = parseCron(text, null);
    expect(parsed.ok ? '' : parsed.message).toMatch(message);
  });

  test('refuses an unknown time zone by name', () => {
    expect(parseCron('0 3 * * *', 'Mars/Base')).toMatchObject({ ok: false, message: expect.stringContaining('Mars/Base') as string });
  });

  test('takes blanks of any kind, and names of days', () => {
    const parsed = parseCron(' 0  3 * *\tSUN ', null);
    expect(parsed).toEqual({ ok: true, schedule: { kind: 'cron', expression: '0 3 * * SUN', timeZone: null } });
  });
});

describe('planNextRun', () => {
  const now = at('2026-11-21T12:00:00Z');
  test.each<[string, Schedule, number | null, number]>([
    ['nothing known: at once', every(DAY), null, now],
    ['nothing known, not to begin at once: after one interval', every(DAY, false), null, now + DAY],
    ['a run an hour ago: at its due time, no sooner', every(DAY), now - HOUR, now + 23 * HOUR],
    ['the same when not to begin at once', every(DAY, false), now - HOUR, now + 23 * HOUR],
    ['a run missed while the machine was off: due', every(DAY), now - 3 * DAY, now - 2 * DAY],
    ['the last run seconds ahead of a clock that was set right: after one interval', every(DAY), now + 20_000, now + DAY],
    ['the last run a year ahead: not believed, at once', every(DAY), now + YEAR, now],
    ['longer than a timer', every(90 * DAY), now, now + 90 * DAY],
    ['cron: the next time', cron('0 3 * * *'), null, at('2026-11-22T03:00:00Z')],
    ['cron: never the moment itself', cron('0 12 * * *'), null, at('2026-11-22T12:00:00Z')],
    ['cron: missed times are not made up for', cron('0 3 * * *'), now - 9 * DAY, at('2026-11-22T03:00:00Z')],
    ['cron: a run seconds ahead has just been', cron('0 12 * * *'), now + 20_000, at('2026-11-22T12:00:00Z')],
    ['cron: a run a year ahead tells nothing', cron('0 3 * * *'), now + YEAR, at('2026-11-22T03:00:00Z')],
    ['cron in a time zone', cron('0 3 * * *', 'Asia/Tokyo'), null, at('2026-11-21T18:00:00Z')],
  ])('%s', (_case, schedule, lastRunStartedAt, expected) => {
    expect(planNextRun({ schedule, lastRunStartedAt, now })).toBe(expected);
  });

  test('cron: a clock that is set back by seconds during a run does not run it again', () => {
    const due = at('2026-11-21T12:00:00Z');
    expect(planNextRun({ schedule: cron('0 12 * * *'), lastRunStartedAt: due, now: due - 900 })).toBe(due + DAY);
  });

  test.each([
    ['a time that the change to summer time skips comes right after it', '2026-03-28T12:00:00Z', '2026-03-29T01:00:00.000Z'],
    ['and the next day at its own time', '2026-03-29T01:00:00Z', '2026-03-30T00:30:00.000Z'],
    ['a time that comes twice: at the first', '2026-10-24T12:00:00Z', '2026-10-25T00:30:00.000Z'],
    ['and not at the second', '2026-10-25T00:30:00Z', '2026-10-26T01:30:00.000Z'],
  ])('half past two in Berlin: %s', (_case, from, expected) => {
    const due = planNextRun({ schedule: cron('30 2 * * *', 'Europe/Berlin'), lastRunStartedAt: null, now: at(from) });
    expect(new Date(due).toISOString()).toBe(expected);
  });
});

describe('planWait', () => {
  const now = at('2026-11-21T12:00:00Z');

  test('looks at the clock at least every minute, however far the next run is', () => {
    const schedule = every(90 * DAY);
    const wait = planWait({ schedule, lastRunStartedAt: now, now, dueAt: now + 90 * DAY });
    expect(wait).toEqual({ kind: 'wait', ms: expect.any(Number) as number, dueAt: now + 90 * DAY });
    expect(wait.kind === 'wait' && wait.ms > 0 && wait.ms <= MINUTE).toBe(true);
  });

  test('an interval that is known to go on is not begun anew because no run is known of', () => {
    const wait = planWait({ schedule: every(DAY), lastRunStartedAt: null, now, dueAt: now + HOUR });
    expect(wait).toMatchObject({ kind: 'wait', dueAt: now + HOUR });
  });

  test('after a sleep of the machine beyond the time, the run is due', () => {
    expect(planWait({ schedule: cron('0 3 * * *'), lastRunStartedAt: null, now, dueAt: at('2026-11-21T03:00:00Z') })).toEqual({
      kind: 'due',
    });
  });

  test('a clock that goes back by a year brings the time back with it', () => {
    const wait = planWait({ schedule: cron('0 3 * * *'), lastRunStartedAt: now, now: now - YEAR, dueAt: at('2026-11-22T03:00:00Z') });
    expect(wait).toMatchObject({ kind: 'wait', dueAt: at('2025-11-22T03:00:00Z') });
  });
});

/** What goes on with a clock that is set now and then, as the loop of `clean --schedule` sees it: the real times at which runs began. */
function simulate(schedule: Schedule, steps: readonly ClockStep[], realMs: number): number[] {
  const startedAt: number[] = [];
  let real = 0;
  let offset = at('2026-03-01T00:00:00Z');
  let last: number | null = null;
  let pending = [...steps].sort((a, b) => a.after - b.after);
  let dueAt = planNextRun({ schedule, lastRunStartedAt: last, now: offset });
  while (real < realMs) {
    const wait = planWait({ schedule, lastRunStartedAt: last, now: real + offset, dueAt });
    if (wait.kind === 'due') {
      startedAt.push(real);
      last = real + offset;
      // The run itself takes a second.
      real += 1000;
      dueAt = planNextRun({ schedule, lastRunStartedAt: last, now: real + offset });
    } else {
      expect(wait.ms).toBeGreaterThan(0);
      dueAt = wait.dueAt;
      // Whole sleeps at once where no step comes in between: the waits are the same, and the test is quick.
      const nextStep = pending[0]?.after ?? Number.POSITIVE_INFINITY;
      real = Math.min(real + Math.max(wait.ms, Math.min(dueAt - real - offset, nextStep - real)), realMs);
    }
    for (const step of pending.filter(({ after }) => after <= real)) offset += step.by;
    pending = pending.filter(({ after }) => after > real);
  }
  return startedAt;
}

interface ClockStep {
  /** In real milliseconds from the beginning. */
  readonly after: number;
  readonly by: number;
}

describe('with a clock that is set forth and back, by up to a year', () => {
  /** So many gaps are lived through. */
  const GAPS = 16;
  /** An interval is reckoned on a clock that nobody can set; cron is the wall clock's. */
  const schedules: readonly (readonly [string, Schedule, number])[] = [
    ['every night', cron('0 3 * * *', 'Europe/Berlin'), 25 * HOUR],
    ['half past two', cron('30 2 * * *', 'Europe/Berlin'), 25 * HOUR],
    ['every six hours', cron('0 */6 * * *', 'America/New_York'), 7 * HOUR],
    ['every ten minutes', cron('*/10 * * * *'), 10 * MINUTE],
  ];
  const step = fc.record({
    /** A part of the time. */
    after: fc.double({ min: 0, max: 1, noNaN: true }),
    by: fc.oneof(
      fc.integer({ min: -YEAR, max: YEAR }),
      fc.integer({ min: -2 * HOUR, max: 2 * HOUR }),
      fc.integer({ min: -5000, max: 5000 }),
    ),
  });

  test.each(schedules)('%s: one extra run for each step at most, and never silent for long', (_name, schedule, longestGap) => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 4 }), (parts) => {
        const realMs = GAPS * longestGap;
        const steps = parts.map(({ after, by }) => ({ after: Math.floor(after * realMs), by }));
        const runs = simulate(schedule, steps, realMs);
        const without = simulate(schedule, [], realMs).length;
        expect(runs.length).toBeLessThanOrEqual(without + steps.length + 2);
        // A step of the clock is where a gap may begin anew, and it is noticed at the next look.
        const marks = [0, ...runs, ...steps.map(({ after }) => after), realMs].sort((a, b) => a - b);
        for (const [index, mark] of marks.entries()) {
          const gap = mark - (marks[index - 1] ?? 0);
          expect(gap).toBeLessThanOrEqual(longestGap + 2 * MINUTE);
        }
      }),
      { numRuns: 50 },
    );
  });

  test.each([HOUR, DAY, 30 * DAY])('an interval of %d ms: each run one interval after the one before', (intervalMs) => {
    const runs = simulate(every(intervalMs), [], 3 * intervalMs + 1);
    expect(runs).toEqual([0, intervalMs, 2 * intervalMs, 3 * intervalMs]);
  });

  test('restarts after steps of the clock: an interval never waits for longer than itself, and a restart does not repeat a run', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -2 * YEAR, max: 2 * YEAR }),
        fc.integer({ min: 1000, max: 90 * DAY }),
        fc.boolean(),
        (age, intervalMs, immediately) => {
          const now = at('2026-11-21T12:00:00Z');
          const due = planNextRun({ schedule: every(intervalMs, immediately), lastRunStartedAt: now - age, now });
          expect(due - now).toBeLessThanOrEqual(intervalMs);
          if (age >= 0 && age < intervalMs) expect(due).toBe(now - age + intervalMs);
          // Once a run has begun now, an immediate restart waits.
          expect(planNextRun({ schedule: every(intervalMs, immediately), lastRunStartedAt: now, now: now + 1 })).toBe(now + intervalMs);
        },
      ),
    );
  });
});
