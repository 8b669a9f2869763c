import { randomInt } from 'node:crypto';

/** Time and randomness, as arguments so that tests need neither to pass nor to be lucky. */
export interface Timing {
  /** Milliseconds on a clock that never goes back. */
  now(): number;
  /** Rejects with the signal's reason when it aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** In [0, 1). */
  random(): number;
}

const RANDOM_STEPS = 2 ** 32;

export const SYSTEM_TIMING: Timing = {
  now: () => performance.now(),
  // Not that of node:timers/promises, which makes an error with its stack for each that is ended early: nearly all are.
  sleep: (ms, signal) => {
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', onAbort);
      resolve(undefined);
    }, ms);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    return promise;
  },
  random: () => randomInt(RANDOM_STEPS) / RANDOM_STEPS,
};

export interface Backoff {
  readonly firstMs: number;
  readonly longestMs: number;
}

/** The pause after so many failures before (0 for the first): doubling up to the longest, jittered between a half and the whole. */
export function backoffMs({ firstMs, longestMs }: Backoff, failures: number, random: number): number {
  return Math.min(longestMs, firstMs * 2 ** failures) * (0.5 + random / 2);
}
