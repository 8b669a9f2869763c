import { planNextRun, type Schedule } from '../schedule.ts';

/** When runs may begin: it opens at the times of a cron expression, in its time zone, and stays open for so long. */
export interface MaintenanceWindow {
  readonly opens: Schedule & { readonly kind: 'cron' };
  readonly lengthMs: number;
}

/** The first moment, not before `time`, at which the window is open. */
export function firstOpenAt(window: MaintenanceWindow, time: number): number {
  // It is open now when it opened less than its length ago.
  const opening = nextCronTime(window.opens, time - window.lengthMs);
  return Math.max(opening, time);
}

/** Strictly after. */
export function nextCronTime(schedule: Schedule & { readonly kind: 'cron' }, after: number): number {
  return planNextRun({ schedule, lastRunStartedAt: null, now: after });
}
