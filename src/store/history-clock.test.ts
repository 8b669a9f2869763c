import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DAY, HOUR, MachineClock } from '../../test/fakes/history-in-test.ts';
import { elapsedBetween, type ClockReading } from './history-clock.ts';

const YEAR = 365 * DAY;
const last: ClockReading = { bootId: 'a', uptimeMs: 10 * DAY, wallAt: 1000 * DAY };

describe('the time between two readings', () => {
  it.each<[string, Partial<ClockReading>, number]>([
    ['is what the boot clock says', { uptimeMs: 10 * DAY + HOUR, wallAt: 1000 * DAY + HOUR }, HOUR],
    ['is not changed by a clock set forward a year', { uptimeMs: 10 * DAY + HOUR, wallAt: 1000 * DAY + YEAR }, HOUR],
    ['is not changed by a clock set back a year', { uptimeMs: 10 * DAY + HOUR, wallAt: 1000 * DAY - YEAR }, HOUR],
    ['within one boot may be any', { uptimeMs: 10 * DAY + YEAR }, YEAR],
    ['is what the wall clock says after a restart', { bootId: 'b', uptimeMs: HOUR, wallAt: 1030 * DAY }, 30 * DAY],
    ['is at least the uptime after a restart', { bootId: 'b', uptimeMs: 3 * HOUR, wallAt: 1000 * DAY + HOUR }, 3 * HOUR],
    ['is the uptime after a restart with the clock back', { bootId: 'b', uptimeMs: HOUR, wallAt: 0 }, HOUR],
    ['is the uptime after a restart with the clock a year on', { bootId: 'b', uptimeMs: HOUR, wallAt: 1000 * DAY + YEAR }, HOUR],
    ['believes the wall clock for 100 days', { bootId: 'b', uptimeMs: HOUR, wallAt: 1100 * DAY }, 100 * DAY],
    ['and no longer', { bootId: 'b', uptimeMs: HOUR, wallAt: 1100 * DAY + 1 }, HOUR],
    ["goes by the wall where the uptime is a container's own", { uptimeMs: 5 * DAY, wallAt: 1000 * DAY + HOUR }, HOUR],
    ["is nothing where the uptime is a container's own and the clock was set back", { uptimeMs: 5 * DAY, wallAt: 0 }, 0],
  ])('%s', (_, now, elapsed) => {
    expect(elapsedBetween(last, { ...last, ...now })).toBe(elapsed);
  });

  it.each<[string, Partial<ClockReading>, number]>([
    [
      'is what the wall clock says, however long the other machine has been up',
      { bootId: 'b', uptimeMs: 300 * DAY, wallAt: 1000 * DAY + HOUR },
      HOUR,
    ],
    ['is nothing where the wall clock cannot be believed', { bootId: 'b', uptimeMs: 300 * DAY, wallAt: 1000 * DAY + YEAR }, 0],
    ['is what the boot clock says on the same machine', { uptimeMs: 10 * DAY + HOUR, wallAt: 1000 * DAY + YEAR }, HOUR],
  ])('where the file may come to another machine, %s', (_, now, elapsed) => {
    expect(elapsedBetween(last, { ...last, ...now }, true)).toBe(elapsed);
  });

  it('goes by the wall clock where there is no boot id', () => {
    const nowhere = { ...last, bootId: '' };
    expect(elapsedBetween(nowhere, { ...nowhere, uptimeMs: 11 * DAY, wallAt: last.wallAt + HOUR })).toBe(HOUR);
  });
});

type Happening = { readonly kind: 'pass' | 'step' | 'reboot'; readonly ms: number };

const happening: fc.Arbitrary<Happening> = fc.oneof(
  fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 90 * DAY }) }),
  fc.record({ kind: fc.constant('step' as const), ms: fc.integer({ min: -2 * YEAR, max: 2 * YEAR }) }),
  fc.record({ kind: fc.constant('reboot' as const), ms: fc.integer({ min: 0, max: 2 * DAY }) }),
);

function reading(clock: MachineClock): ClockReading {
  return { ...clock.bootClock(), wallAt: clock.now() };
}

function happen(clock: MachineClock, { kind, ms }: Happening): number {
  if (kind === 'step') clock.step(ms);
  else if (kind === 'pass') clock.pass(ms);
  else clock.reboot(ms);
  return kind === 'step' ? 0 : ms;
}

describe('over any course of a machine, with a reading after each happening', () => {
  it('no time is lost nor gained where the wall clock is right at each restart', () => {
    fc.assert(
      fc.property(fc.array(happening), (course) => {
        const clock = new MachineClock();
        let [before, counted, real] = [reading(clock), 0, 0];
        for (const next of course) {
          real += happen(clock, next);
          // Each step of the clock is read before the next restart, so no restart hides one.
          const now = reading(clock);
          counted += elapsedBetween(before, now);
          before = now;
        }
        expect(counted).toBe(real);
      }),
    );
  });

  it('within one boot, whatever is read when, exactly the time that went by counts', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(happening, fc.boolean())), (course) => {
        const clock = new MachineClock();
        let [before, counted, real] = [reading(clock), 0, 0];
        for (const [next, isRead] of course) {
          if (next.kind === 'reboot') continue;
          real += happen(clock, next);
          if (!isRead) continue;
          const now = reading(clock);
          counted += elapsedBetween(before, now);
          before = now;
        }
        expect(counted + elapsedBetween(before, reading(clock))).toBe(real);
      }),
    );
  });

  it('time never goes back, and a restart with a wrong clock adds at most 100 days, or the uptime', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(happening, fc.boolean())), (course) => {
        const clock = new MachineClock();
        let [before, real] = [reading(clock), 0];
        for (const [next, isRead] of course) {
          real += happen(clock, next);
          if (!isRead) continue;
          const now = reading(clock);
          const elapsed = elapsedBetween(before, now);
          expect(elapsed).toBeGreaterThanOrEqual(0);
          expect(elapsed).toBeLessThanOrEqual(Math.max(real, 100 * DAY));
          [before, real] = [now, 0];
        }
      }),
    );
  });
});
