import type { Schedule } from '../schedule.ts';
import { firstOpenAt, nextCronTime, type MaintenanceWindow } from './maintenance-window.ts';

/**
 * What outlives the controller of its automatic runs. Times are wall-clock milliseconds: no other clock goes on when the controller moves to
 * another machine.
 */
export interface ScheduleState {
  /** null: none is known of. `endedAt` null: it has not ended, or its end was never stored. */
  readonly lastRun: { readonly startedAt: number; readonly endedAt: number | null } | null;
  /** From when the next run is reckoned: the start of the last one, unless a clock or a schedule has changed since. */
  readonly reckonedFrom: number | null;
  /** The schedule that `reckonedFrom` is for, as a text of ours. */
  readonly plannedFor: string | null;
}

export const NEW_SCHEDULE_STATE: ScheduleState = { lastRun: null, reckonedFrom: null, plannedFor: null };

export interface NextRunInput {
  /** null: automatic runs are off. */
  readonly schedule: Schedule | null;
  /** null: runs may begin at any time. */
  readonly window: MaintenanceWindow | null;
  readonly state: ScheduleState;
  /** Whether an automatic run is under way, as its ImageJob says. */
  readonly isRunUnderWay: boolean;
  readonly now: number;
}

export type NextRun =
  | { readonly kind: 'off' }
  | { readonly kind: 'under-way' }
  | { readonly kind: 'due' }
  /** `at`: when it is due. `lookAgainAt`: sooner, since clocks are set and no timer is that long. */
  | { readonly kind: 'waiting'; readonly at: number; readonly lookAgainAt: number };

export interface PlannedNextRun {
  readonly next: NextRun;
  /** To be stored where it differs, before a run is begun. */
  readonly state: ScheduleState;
}

/**
 * When the next automatic run begins. Intervals are from start to start; what is missed while a run goes on is left out, what is missed while no
 * controller runs is made up for by one run. A cron time that is missed is made up for within an hour, or in the next maintenance window.
 *
 * A clock that goes forward makes one run due, as the time that passed would. One that goes back makes none: the interval begins anew.
 */
export function planNextAutomaticRun(input: NextRunInput): PlannedNextRun {
  const { schedule, window, isRunUnderWay, now } = input;
  if (isRunUnderWay) return { next: { kind: 'under-way' }, state: input.state };
  if (schedule === null) return { next: { kind: 'off' }, state: input.state };
  const state = settle(input.state, schedule, now);
  const planned = dueAt(state, { schedule, window, now });
  const at = window === null ? planned : firstOpenAt(window, Math.max(planned, now));
  if (at <= now) return { next: { kind: 'due' }, state };
  return { next: { kind: 'waiting', at, lookAgainAt: Math.min(at, now + LONGEST_WAIT_MS) }, state };
}

export function recordRunStart(state: ScheduleState, now: number): ScheduleState {
  return { ...state, lastRun: { startedAt: now, endedAt: null }, reckonedFrom: now };
}

export function recordRunEnd(state: ScheduleState, now: number): ScheduleState {
  return state.lastRun === null ? state : { ...state, lastRun: { ...state.lastRun, endedAt: now } };
}

const LONGEST_WAIT_MS = 60_000;
/** What was stored is believed to be this far ahead: the clocks of two replicas differ, and a clock that is set right goes back a little. */
const CLOCK_SKEW_MS = 10 * 60_000;
/** A cron time that is missed by more was meant for another time of the day. */
const LATE_CRON_MS = 3_600_000;

function settle(state: ScheduleState, schedule: Schedule, now: number): ScheduleState {
  const plannedFor = describe(schedule);
  const from = state.reckonedFrom ?? state.lastRun?.startedAt ?? now;
  const believed = from > now + CLOCK_SKEW_MS ? now : from;
  const isOtherCron = schedule.kind === 'cron' && state.plannedFor !== null && state.plannedFor !== plannedFor;
  // Another expression is for the times from now on, not for those that it would have had.
  const changed = isOtherCron ? Math.max(believed, now) : believed;
  return { ...state, reckonedFrom: afterLongRun(changed, schedule, { endedAt: state.lastRun?.endedAt ?? null, now }), plannedFor };
}

/** The times that came while the last run went on are left out. An end that is still to come was told by a clock that was wrong. */
function afterLongRun(from: number, schedule: Schedule, run: { readonly endedAt: number | null; readonly now: number }): number {
  const { endedAt, now } = run;
  if (endedAt === null || endedAt > now || endedAt <= from) return from;
  if (schedule.kind === 'cron') return endedAt;
  return from + Math.floor((endedAt - from) / schedule.intervalMs) * schedule.intervalMs;
}

function dueAt(
  state: ScheduleState,
  { schedule, window, now }: Pick<NextRunInput, 'window' | 'now'> & { readonly schedule: Schedule },
): number {
  const from = state.reckonedFrom ?? now;
  if (schedule.kind === 'cron') return nextCronTime(schedule, window === null ? Math.max(from, now - LATE_CRON_MS) : from);
  return state.lastRun === null && schedule.beginImmediately ? now : from + schedule.intervalMs;
}

function describe(schedule: Schedule): string {
  return schedule.kind === 'cron' ? `cron ${schedule.expression} ${schedule.timeZone ?? 'local'}` : `interval ${schedule.intervalMs}`;
}
