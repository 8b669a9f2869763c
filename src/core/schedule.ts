import { Cron } from 'croner';

/** When runs that repeat are due. Times are in milliseconds on one clock of the caller's. */
export type Schedule =
  /**
   * One run every so many milliseconds, from start to start; best reckoned on a clock that nobody can set. `beginImmediately`: one is due when
   * no earlier run is known of.
   */
  | { readonly kind: 'interval'; readonly intervalMs: number; readonly beginImmediately: boolean }
  /** At the wall clock's times of a cron expression of five fields. `timeZone`: an IANA name; null is the machine's own. */
  | { readonly kind: 'cron'; readonly expression: string; readonly timeZone: string | null };

export type ParsedCron =
  { readonly ok: true; readonly schedule: Schedule & { readonly kind: 'cron' } } | { readonly ok: false; readonly message: string };

/** `0 3 * * 0`. Refuses what never comes, such as 31 February. */
export function parseCron(text: string, timeZone: string | null): ParsedCron {
  const expression = text.trim().replaceAll(/\s+/g, ' ');
  if (expression.split(' ').length !== 5) {
    return { ok: false, message: 'A cron expression has five fields: minute, hour, day of the month, month, day of the week.' };
  }
  if (timeZone !== null && !isTimeZone(timeZone)) {
    return { ok: false, message: `"${timeZone}" is no time zone; Europe/Berlin or UTC is one.` };
  }
  const schedule = { kind: 'cron', expression, timeZone } as const;
  try {
    if (nextTime(schedule, 0) === null) return { ok: false, message: 'It never comes.' };
  } catch (error) {
    return { ok: false, message: error instanceof Error ? error.message.replace(/^Cron\w+: /, '') : String(error) };
  }
  return { ok: true, schedule };
}

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

export interface PlanNextRunInput {
  readonly schedule: Schedule;
  /** null: no earlier run is known of. */
  readonly lastRunStartedAt: number | null;
  readonly now: number;
}

/**
 * A clock that is set right goes back by so little, and what it then has ahead of it has just been. What is further ahead was written by a
 * clock that was wrong, and tells nothing.
 */
const CORRECTION_MS = 60_000;

/** When the next run is due; what is not after `now` is due at once. Missed runs, however many, are one. */
export function planNextRun({ schedule, lastRunStartedAt: last, now }: PlanNextRunInput): number {
  const isAhead = last !== null && last > now;
  const hasJustBeen = isAhead && last - now <= CORRECTION_MS;
  if (schedule.kind === 'cron') return nextTime(schedule, hasJustBeen ? last : now) ?? Number.POSITIVE_INFINITY;
  if (last === null) return schedule.beginImmediately ? now : now + schedule.intervalMs;
  if (hasJustBeen) return now + schedule.intervalMs;
  // Not believed: at once, so that a clock that was a year ahead does not end the runs for a year. The new run is the last one then.
  return isAhead ? now : last + schedule.intervalMs;
}

/**
 * What to do between two runs: to run, or to look at the clock again after `ms`, with the time that is then planned. A wall clock that went
 * back brings the planned time back with it; one that went forward makes one run due, not all that it skipped.
 */
export type Wait = { readonly kind: 'due' } | { readonly kind: 'wait'; readonly ms: number; readonly dueAt: number };

/** Clocks are set, machines sleep, and no timer takes more than 2^31 ms: so the clock is looked at this often. */
const LONGEST_WAIT_MS = 30_000;

export function planWait(input: PlanNextRunInput & { readonly dueAt: number }): Wait {
  if (input.now >= input.dueAt) return { kind: 'due' };
  const dueAt = input.schedule.kind === 'cron' ? Math.min(input.dueAt, planNextRun(input)) : input.dueAt;
  return { kind: 'wait', dueAt, ms: Math.min(Math.max(dueAt - input.now, 1), LONGEST_WAIT_MS) };
}

/** A time that the change to summer time skips comes right after it; one that comes twice in autumn counts once, if it is one of a day. */
function nextTime({ expression, timeZone }: Schedule & { readonly kind: 'cron' }, after: number): number | null {
  const cron = new Cron(expression, { mode: '5-part', ...(timeZone === null ? {} : { timezone: timeZone }) });
  return cron.nextRun(new Date(after))?.getTime() ?? null;
}
