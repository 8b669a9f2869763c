import { parseCron, type Schedule } from '../core/schedule.ts';
import { scheduleOf } from '../api/eraser-config.ts';
import { formatDuration, parseDuration } from '../platform/duration.ts';
import { badUsage } from './cli-error.ts';
import type { CleanOptions } from './parsed-options.ts';

type GivenOptions = Pick<CleanOptions, 'eraserConfig' | 'schedule' | 'timeZone' | 'beginImmediately' | 'dryRun' | 'yes'>;

/** Below this, one run would go into the next. */
const SHORTEST_MS = 1000;

/**
 * The schedule that the options ask for; null: one run, now.
 * @throws CliError `bad-usage`
 */
export function readSchedule(options: GivenOptions): Schedule | null {
  const { dryRun, yes } = options;
  const {
    when: text,
    timeZone,
    beginImmediately,
  } = options.schedule === true ? configured(options) : { ...options, when: options.schedule };
  if (text === undefined) {
    if (timeZone !== undefined) throw badUsage('--time-zone needs --schedule.');
    if (beginImmediately !== undefined) throw badUsage(`--${beginImmediately ? '' : 'no-'}begin-immediately needs --schedule.`);
    return null;
  }
  if (dryRun)
    throw badUsage('--schedule and --dry-run exclude each other: a dry run shows a plan to somebody who looks.', 'Leave one of them out.');
  const schedule = parseSchedule(text, timeZone);
  if (schedule.kind === 'cron' && beginImmediately === true) {
    throw badUsage('--begin-immediately needs a --schedule with an interval: a cron expression says when it begins.');
  }
  if (!yes) throw badUsage('--schedule needs --yes: when a run is due, there is nobody to ask.', 'Look at the plan with --dry-run first.');
  return schedule.kind === 'interval' ? { ...schedule, beginImmediately: beginImmediately ?? true } : schedule;
}

/** `--schedule` alone: as the configuration says it. */
function configured({ eraserConfig, beginImmediately, timeZone }: GivenOptions): {
  readonly when: string;
  readonly timeZone: string | undefined;
  readonly beginImmediately: boolean | undefined;
} {
  const schedule = eraserConfig === undefined ? null : scheduleOf(eraserConfig);
  if (schedule === null) {
    throw badUsage(
      '--schedule needs an interval such as 24h, or a cron expression such as "0 3 * * *".',
      'Without one it takes that of --config FILE.',
    );
  }
  if (schedule.kind === 'cron') return { when: schedule.expression, timeZone: timeZone ?? schedule.timeZone, beginImmediately };
  return { when: formatDuration(schedule.intervalMs), timeZone, beginImmediately: beginImmediately ?? schedule.beginImmediately };
}

function parseSchedule(text: string, timeZone: string | undefined): Schedule {
  const interval = parseDuration(text);
  if (interval.ok) {
    if (interval.value < SHORTEST_MS) throw badUsage(`--schedule ${text}: the shortest interval is one second.`);
    if (timeZone !== undefined) throw badUsage('--time-zone needs a --schedule with a cron expression: an interval has none.');
    return { kind: 'interval', intervalMs: interval.value, beginImmediately: true };
  }
  const cron = parseCron(text, timeZone ?? null);
  if (cron.ok) return cron.schedule;
  throw badUsage(
    `--schedule "${text}" cannot be used: ${cron.message}`,
    'Give an interval such as 24h, or a cron expression such as "0 3 * * *".',
  );
}
