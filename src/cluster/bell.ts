import type { Timing } from '../platform/timing.ts';

/** Wakes one who waits. What rings while nobody waits wakes the next wait at once. */
export class Bell {
  #rung = Promise.withResolvers<undefined>();

  readonly ring = (): void => this.#rung.resolve(undefined);

  /** Until it rings, or for so long at most. Rejects with the signal's reason when that aborts. */
  async wait(timing: Pick<Timing, 'sleep'>, atMostMs: number, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    try {
      await Promise.race([this.#rung.promise, timing.sleep(atMostMs, AbortSignal.any([signal, over.signal]))]);
    } finally {
      over.abort();
    }
    signal.throwIfAborted();
    this.#rung = Promise.withResolvers<undefined>();
  }
}
