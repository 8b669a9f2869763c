import type { Timing } from '../platform/timing.ts';
import { DeadlineExceeded } from './classify-failure.ts';

export interface Deadline {
  readonly ms: number;
  readonly timing: Timing;
  readonly signal: AbortSignal;
}

/** Why the clock of a call that has ended is stopped. Without a reason each would get an error of its own, with its stack. */
const ENDED = 'the call has ended';

/**
 * Runs with a signal that aborts with the caller's, or with DeadlineExceeded. Nothing stays on the caller's signal afterwards: it lives as
 * long as the process, and calls come by the million.
 */
export async function withDeadline<T>({ ms, timing, signal }: Deadline, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  const call = new AbortController();
  const timer = new AbortController();
  const onAbort = (): void => call.abort(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  timing.sleep(ms, timer.signal).then(
    () => call.abort(new DeadlineExceeded(ms)),
    () => undefined,
  );
  try {
    return await work(call.signal);
  } finally {
    timer.abort(ENDED);
    signal.removeEventListener('abort', onAbort);
  }
}
