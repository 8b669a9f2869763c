import { setTimeout as delay } from 'node:timers/promises';
import type { RunRecord } from '../../api/run-record.ts';
import { planNextRun, planWait, type Schedule } from '../../core/schedule.ts';
import { loadCrictlParser } from '../../cri/crictl-config.ts';
import { formatDuration } from '../../platform/duration.ts';
import { withMemory } from '../bind-history.ts';
import type { CliContext } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { readRequest } from '../make-plan.ts';
import { createProgress, type Progress } from '../output/progress.ts';
import { withTimeStamps } from '../output/time-stamped.ts';
import type { CleanOptions } from '../parsed-options.ts';

export interface ScheduledCleaning {
  readonly schedule: Schedule;
  readonly options: CleanOptions;
  /** One whole run. Never throws: what ended it is on standard error. */
  readonly runOnce: (context: CliContext) => Promise<ExitCode>;
}

/** `image-cleaner clean --schedule`: stays, and cleans whenever a run is due. */
export async function cleanOnSchedule(given: CliContext, { schedule, options, runOnce }: ScheduledCleaning): Promise<ExitCode> {
  const context = { ...given, stderr: withTimeStamps(given, given.stderr) };
  const progress = createProgress(context);
  // What is wrong now should not be found out at night.
  await readRequest(context, options);
  // The only part that a run might load later; the program's files may be replaced while it waits.
  await loadCrictlParser();
  const lastRunAt = await readLastRun(context, options, progress);
  const run = async (): Promise<ExitCode> => {
    const code = await runOnce(context);
    // Ends a document in a stream of them.
    if (options.output === 'yaml') context.stdout.write('...\n');
    return code;
  };
  const wait = (ms: number): Promise<void> => delay(ms, undefined, { signal: context.signal }).catch(() => undefined);
  return repeatOnSchedule(context, { schedule, lastRunStartedAt: lastRunAt, run, say: (line) => progress.say(line), wait });
}

/** When the last run of this kind began: one by hand of some images does not stand for one of all. */
async function readLastRun(context: CliContext, options: CleanOptions, progress: Progress): Promise<number | null> {
  return withMemory(context, options, { progress, purpose: 'remember' }, async ({ history }) =>
    lastRunStartedAt((await history?.listRuns({ limit: RUNS_LOOKED_AT })) ?? [], options),
  );
}

/** Of the last of the runs, newest first, that the schedule goes on from; null: there is none. */
export function lastRunStartedAt(runs: readonly RunRecord[], { image }: Pick<CleanOptions, 'image'>): number | null {
  const mode = image.length === 0 ? 'automatic' : 'manual';
  // One that was refused, or not confirmed by hand, has not cleaned.
  return runs.find((run) => run.mode === mode && run.state !== 'refused')?.startedAt ?? null;
}

/** Enough to find one of the schedule's own behind those of a busy day by hand. */
const RUNS_LOOKED_AT = 100;

type Surroundings = Pick<CliContext, 'signal' | 'now' | 'isUnseen'> & { readonly machine: Pick<CliContext['machine'], 'bootClock'> };

export interface Repetition {
  readonly schedule: Schedule;
  /** By the wall clock; null: none is known of. */
  readonly lastRunStartedAt: number | null;
  readonly run: () => Promise<ExitCode>;
  readonly say: (line: string) => void;
  /** Until so many milliseconds have gone by, or the interrupt comes. */
  readonly wait: (ms: number) => Promise<void>;
}

/**
 * Runs one after the other, never two at once, until the interrupt; or until nobody sees what they report, which is a failure: whoever looks after
 * this process learns of it, and may start another.
 */
export async function repeatOnSchedule(context: Surroundings, repetition: Repetition): Promise<ExitCode> {
  const { schedule, run, say } = repetition;
  const { signal, now, machine } = context;
  // An interval is as long as it is, whatever the wall clock is set to; a cron expression is about the wall clock.
  const clock = schedule.kind === 'cron' ? now : (): number => machine.bootClock().uptimeMs;
  const [wallAt, clockAt] = [now(), clock()];
  let { lastRunStartedAt } = repetition;
  let dueAt = planNextRun({ schedule, lastRunStartedAt, now: wallAt }) + (schedule.kind === 'cron' ? 0 : clockAt - wallAt);
  for (;;) {
    const wait = await waitUntilDue(context, { ...repetition, lastRunStartedAt, dueAt, clock });
    if (wait !== 'due') return wait === 'unseen' ? EXIT.failed : EXIT.done;
    lastRunStartedAt = clock();
    const code = await run();
    if (signal.aborted) return code === EXIT.interrupted ? EXIT.interrupted : EXIT.done;
    if (code !== EXIT.done) say(`This run ended with exit code ${String(code)}; the next one comes at its time.`);
    dueAt = planNextRun({ schedule, lastRunStartedAt, now: clock() });
  }
}

interface NextRun extends Repetition {
  readonly dueAt: number;
  /** What `dueAt` is reckoned by. */
  readonly clock: () => number;
}

/** Waits until the run is due; or until the interrupt, or nobody sees the output. */
async function waitUntilDue(
  { signal, now, isUnseen }: Surroundings,
  { schedule, lastRunStartedAt, dueAt, clock, say, wait }: NextRun,
): Promise<'due' | 'interrupted' | 'unseen'> {
  let announced: number | null = null;
  while (!signal.aborted) {
    if (isUnseen()) return 'unseen';
    const next = planWait({ schedule, lastRunStartedAt, now: clock(), dueAt });
    if (next.kind === 'due') return 'due';
    ({ dueAt } = next);
    if (announced !== dueAt) {
      const inMs = Math.ceil((dueAt - clock()) / 1000) * 1000;
      say(`The next run is in ${formatDuration(inMs)}, at ${new Date(now() + inMs).toISOString().slice(0, 19)}Z.`);
    }
    announced = dueAt;
    await wait(next.ms);
  }
  return 'interrupted';
}
