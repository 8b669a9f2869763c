import { describe, expect, test } from 'vitest';
import { parseCron, type Schedule } from '../../core/schedule.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { repeatOnSchedule } from './clean-on-schedule.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = Date.parse('2026-11-21T12:00:00Z');
const EVERY_DAY: Schedule = { kind: 'interval', intervalMs: DAY, beginImmediately: true };

/** A machine on which time goes by only while somebody waits. */
class Machine {
  /** Since the beginning. */
  elapsed = 0;
  isUnseen = false;
  /** What the wall clock is wrong by. */
  offset = 0;
  readonly interrupt = new AbortController();
  readonly said: string[] = [];
  readonly waits: number[] = [];
  readonly startedAt: number[] = [];
  /** Runs to come, each with what it does; after the last one the interrupt comes. */
  readonly runs: (() => ExitCode)[];
  /** Called before each wait. */
  onWait: () => void = () => undefined;

  constructor(runs: readonly (() => ExitCode)[]) {
    this.runs = [...runs];
  }

  repeat(schedule: Schedule, lastRunStartedAt: number | null = null): Promise<ExitCode> {
    const context = {
      signal: this.interrupt.signal,
      now: (): number => START + this.elapsed + this.offset,
      isUnseen: (): boolean => this.isUnseen,
      machine: { bootClock: () => ({ bootId: 'boot', uptimeMs: 5000 + this.elapsed }) },
    };
    return repeatOnSchedule(context, {
      schedule,
      lastRunStartedAt,
      say: (line) => this.said.push(line),
      wait: (ms) => {
        this.onWait();
        if (this.runs.length === 0) this.interrupt.abort(new Error('stopped'));
        this.waits.push(ms);
        this.elapsed += ms;
        return Promise.resolve();
      },
      run: () => {
        this.startedAt.push(this.elapsed);
        const code = this.runs.shift()?.() ?? EXIT.failed;
        return Promise.resolve(code);
      },
    });
  }
}

const done = (): ExitCode => EXIT.done;

describe('repeatOnSchedule', () => {
  test('runs at once and then every interval; an interrupt between runs is the regular end', async () => {
    const machine = new Machine([done, done, done]);
    expect(await machine.repeat(EVERY_DAY)).toBe(EXIT.done);
    expect(machine.startedAt).toEqual([0, DAY, 2 * DAY]);
    expect(machine.said[0]).toBe('The next run is in 1d, at 2026-11-22T12:00:00Z.');
    expect(Math.max(...machine.waits)).toBeLessThanOrEqual(60_000);
    // Announced once, not at each look at the clock.
    expect(machine.said).toHaveLength(3);
  });

  test('after a restart the run comes at its due time, by the wall clock of the last one', async () => {
    const machine = new Machine([done, done]);
    await machine.repeat(EVERY_DAY, START - 20 * HOUR);
    expect(machine.startedAt).toEqual([4 * HOUR, 4 * HOUR + DAY]);
  });

  test('a failed run is reported, and the next comes at its time', async () => {
    const machine = new Machine([(): ExitCode => EXIT.refused, done]);
    expect(await machine.repeat(EVERY_DAY)).toBe(EXIT.done);
    expect(machine.said[0]).toContain('exit code 3');
    expect(machine.startedAt).toEqual([0, DAY]);
  });

  test('a run that takes longer than the interval is followed by one, not by those that it overlapped', async () => {
    const long = (): ExitCode => {
      machine.elapsed += 2.5 * DAY;
      return EXIT.done;
    };
    const machine = new Machine([long, done, done]);
    await machine.repeat(EVERY_DAY);
    expect(machine.startedAt).toEqual([0, 2.5 * DAY, 3.5 * DAY]);
  });

  test.each([EXIT.interrupted, EXIT.done])('an interrupt during a run that ends with %d is the end', async (code) => {
    const machine = new Machine([
      (): ExitCode => {
        machine.interrupt.abort(new Error('stopped'));
        return code;
      },
      done,
    ]);
    expect(await machine.repeat(EVERY_DAY)).toBe(code);
    expect(machine.startedAt).toHaveLength(1);
  });

  test('once nobody sees the output, no other run begins, and the end is a failure', async () => {
    const reported = (): ExitCode => {
      machine.isUnseen = true;
      return EXIT.done;
    };
    const machine = new Machine([done, reported, done, done]);
    expect(await machine.repeat(EVERY_DAY)).toBe(EXIT.failed);
    expect(machine.startedAt).toEqual([0, DAY]);
  });

  test.each([365 * DAY, -365 * DAY])('an interval is the same whatever the wall clock is set to (%d ms)', async (step) => {
    const machine = new Machine([done, done, done]);
    machine.onWait = (): void => {
      if (machine.elapsed > HOUR) machine.offset = step;
    };
    await machine.repeat(EVERY_DAY);
    expect(machine.startedAt).toEqual([0, DAY, 2 * DAY]);
  });

  test('cron goes by the wall clock: set back by a year, the next run is the next night there', async () => {
    const nightly = parseCron('0 3 * * *', 'UTC');
    if (!nightly.ok) throw new Error(nightly.message);
    const machine = new Machine([done, done]);
    machine.onWait = (): void => {
      if (machine.elapsed > HOUR) machine.offset = -365 * DAY;
    };
    await machine.repeat(nightly.schedule, START - 90 * DAY);
    expect(machine.startedAt).toEqual([15 * HOUR, 15 * HOUR + DAY]);
  });
});
