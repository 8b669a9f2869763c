import { formatDuration } from '../../../platform/duration.ts';
import type { Schedule } from '../../../core/schedule.ts';

/** `every 24h`, `0 3 * * 0 (Europe/Berlin)`. */
export function formatSchedule(schedule: Schedule): string {
  return schedule.kind === 'interval'
    ? `every ${formatDuration(schedule.intervalMs)}`
    : `${schedule.expression} (${schedule.timeZone ?? "the manager's time zone"})`;
}
