import { setImmediate as untilIoWasSeen } from 'node:timers/promises';
import { type Backoff, backoffMs, type Timing } from '../../platform/timing.ts';

/** What a run that did not fail asks for. */
export interface Reconciled {
  /** To be run again then, if nothing asks for it sooner. */
  readonly requeueAfterMs?: number;
}

export interface WorkQueueOptions {
  /** Looks at all there is under the key and does what is to be done. Throws to be tried again later. Has to end soon after the signal. */
  readonly reconcile: (key: string, signal: AbortSignal) => Promise<Reconciled>;
  /** How many keys are run at once. */
  readonly workers: number;
  readonly timing: Timing;
  /** For the log; must not throw. `failures`: of this key, in a row. */
  readonly onError: (failure: { readonly key: string; readonly error: unknown; readonly failures: number }) => void;
  readonly backoff?: Backoff;
}

/** As fast as a person's second try, and not so rarely that a cluster that has recovered stays untidy for long. */
const BACKOFF: Backoff = { firstMs: 500, longestMs: 5 * 60_000 };
/** Timers hold 24 days at most; a longer wait is taken up again. */
const LONGEST_SLEEP_MS = 24 * 60 * 60_000;

/** An error would be made, with its stack, each time. */
const WOKEN = Symbol('woken');

interface Entry {
  /** When it is to run; null: not at all, so far. */
  dueAt: number | null;
  isRunning: boolean;
  failures: number;
}

/**
 * Runs keys, not objects: what is under a key is looked up when it runs. A key is in the queue once, however often it is added; the
 * earliest time that was asked for holds. It never runs twice at once: what is added meanwhile runs afterwards. A key that fails is run
 * again after a pause that doubles, whatever requeue it would have asked for, or at once when something adds it.
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #entries = new Map<string, Entry>();
  /** Due and not running, in the order in which they became due. */
  readonly #ready = new Set<string>();
  /** With a time to come, and not running. */
  readonly #waiting = new Map<string, number>();
  #wake: () => void = () => undefined;

  constructor(options: WorkQueueOptions) {
    this.#options = options;
  }

  /** Keys that are due and wait for a worker. */
  get backlog(): number {
    this.#promoteDue();
    return this.#ready.size;
  }

  add(key: string, afterMs = 0): void {
    const entry = this.#entries.get(key) ?? { dueAt: null, isRunning: false, failures: 0 };
    this.#entries.set(key, entry);
    entry.dueAt = Math.min(entry.dueAt ?? Infinity, this.#options.timing.now() + Math.max(0, afterMs));
    const isKnown = entry.isRunning || this.#ready.has(key);
    this.#place(key, entry);
    // A run of thousands of nodes adds the same key thousands of times, and to wake costs far more than to add.
    if (!isKnown) this.#wake();
  }

  /** Runs what is due until the signal aborts; then begins nothing any more, and resolves when what was running has ended. */
  async run(signal: AbortSignal): Promise<void> {
    const running = new Set<Promise<void>>();
    while (!signal.aborted) {
      this.#promoteDue();
      for (const key of this.#ready) {
        if (running.size >= this.#options.workers) break;
        const work: Promise<void> = this.#runKey(key, signal).finally(() => {
          running.delete(work);
          this.#wake();
        });
        running.add(work);
      }
      await this.#untilWoken(signal);
    }
    await Promise.all(running);
  }

  async #runKey(key: string, signal: AbortSignal): Promise<void> {
    const { reconcile, timing, onError, backoff = BACKOFF } = this.#options;
    const entry = this.#entries.get(key);
    this.#ready.delete(key);
    if (entry === undefined) return;
    entry.dueAt = null;
    entry.isRunning = true;
    let againAfterMs: number | undefined;
    // Many changes come in one piece, each of which asks for a run: without a pause there would be one for each, and no timer or answer between them.
    await untilIoWasSeen();
    try {
      ({ requeueAfterMs: againAfterMs } = await reconcile(key, signal));
      entry.failures = 0;
    } catch (error) {
      // The end of a run that was told to end is no failure.
      if (!signal.aborted) {
        againAfterMs = backoffMs(backoff, entry.failures, timing.random());
        entry.failures += 1;
        onError({ key, error, failures: entry.failures });
      }
    }
    entry.isRunning = false;
    if (againAfterMs === undefined) this.#place(key, entry);
    else this.add(key, againAfterMs);
  }

  #place(key: string, { dueAt, isRunning }: Entry): void {
    if (isRunning) return;
    if (dueAt === null) {
      this.#entries.delete(key);
      return;
    }
    if (dueAt > this.#options.timing.now()) {
      this.#waiting.set(key, dueAt);
      return;
    }
    this.#waiting.delete(key);
    this.#ready.add(key);
  }

  #promoteDue(): void {
    const now = this.#options.timing.now();
    const due = [...this.#waiting].filter(([, dueAt]) => dueAt <= now).sort(([, a], [, b]) => a - b);
    for (const [key] of due) {
      this.#waiting.delete(key);
      this.#ready.add(key);
    }
  }

  /** Until a key was added, a run has ended, the next key is due, or the signal aborted. */
  async #untilWoken(signal: AbortSignal): Promise<void> {
    const { timing } = this.#options;
    const woken = new AbortController();
    const onAbort = (): void => woken.abort(WOKEN);
    this.#wake = onAbort;
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    let next = timing.now() + LONGEST_SLEEP_MS;
    for (const dueAt of this.#waiting.values()) next = Math.min(next, dueAt);
    const sleepMs = Math.max(0, next - timing.now());
    await timing.sleep(sleepMs, woken.signal).catch(() => undefined);
    this.#wake = () => undefined;
    signal.removeEventListener('abort', onAbort);
  }
}
