import { ClusterError } from './cluster-error.ts';

/** A day, and three months. */
const LEAST = 24;
const MOST = 2160;
/** A week: of an installation whose operator names none. */
export const DEFAULT_INTERVAL_HOURS = 168;

/** @throws ClusterError `bad-value` that names the bounds. */
export function parseIntervalHours(text: string): number {
  const hours = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (hours >= LEAST && hours <= MOST) return hours;
  throw new ClusterError({
    code: 'bad-value',
    message: `--image-cleaner-interval-hours ${text}: allowed are whole hours from ${LEAST} (a day) to ${MOST} (three months)`,
    hint: 'Another interval, or a cron expression: image-cleaner cluster config set manager.scheduling.repeatInterval=12h',
  });
}
