import { randomInt } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';

/** Time and randomness, as arguments so that tests need neither to pass nor to be lucky. */
export interface RetryTiming {
  /** Milliseconds on a clock that never goes back. */
  now(): number;
  /** Rejects with the signal's reason when it aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** In [0, 1). */
  random(): number;
}

export interface RetryOptions {
  /** How long to go on after the first failure. */
  readonly budgetMs: number;
  readonly timing: RetryTiming;
  readonly signal: AbortSignal;
  readonly isTransient: (error: unknown) => boolean;
}

const RANDOM_STEPS = 2 ** 32;

export const SYSTEM_TIMING: RetryTiming = {
  now: () => performance.now(),
  sleep: async (ms, signal) => {
    try {
      await wait(ms, undefined, { signal });
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    }
  },
  random: () => randomInt(RANDOM_STEPS) / RANDOM_STEPS,
};

const FIRST_PAUSE_MS = 100;
/** A restarting containerd is back within seconds; longer pauses would only add to the wait. */
const LONGEST_PAUSE_MS = 3_000;

/** Repeats an idempotent attempt for as long as its errors are transient and the budget lasts; then throws the last error. */
export async function retryWithin<T>(options: RetryOptions, attempt: () => Promise<T>): Promise<T> {
  const { budgetMs, timing, signal, isTransient } = options;
  let firstFailureAt: number | undefined;
  for (let failures = 0; ; failures++) {
    signal.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      signal.throwIfAborted();
      if (!isTransient(error)) throw error;
      firstFailureAt ??= timing.now();
      const pauseMs = backoffMs(failures, timing.random());
      if (timing.now() - firstFailureAt + pauseMs > budgetMs) throw error;
      await timing.sleep(pauseMs, signal);
    }
  }
}

/** Doubles with each failure, and is jittered between a half and the whole so that parallel calls don't come back together. */
export function backoffMs(failures: number, random: number): number {
  return Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** failures) * (0.5 + random / 2);
}
