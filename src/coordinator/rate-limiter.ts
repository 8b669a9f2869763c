import type { Timing } from '../platform/timing.ts';

export interface Rate {
  /** As many at once. */
  readonly burst: number;
  /** And then so many each second. */
  readonly perSecond: number;
}

interface Bucket {
  readonly left: number;
  readonly at: number;
}

/** More callers than a cluster has nodes; beyond that the one that was quiet longest is forgotten. */
const MOST_KEYS = 10_000;

/** Counts what each caller does (token bucket). */
export class RateLimiter {
  readonly #rate: Rate;
  readonly #timing: Pick<Timing, 'now'>;
  readonly #buckets = new Map<string, Bucket>();

  constructor(rate: Rate, timing: Pick<Timing, 'now'>) {
    this.#rate = rate;
    this.#timing = timing;
  }

  /** How long to wait before the next one, milliseconds; 0: it may come now. */
  waitMs(key: string): number {
    return Math.max(0, ((1 - this.#left(key)) / this.#rate.perSecond) * 1000);
  }

  count(key: string): void {
    const left = this.#left(key) - 1;
    this.#buckets.delete(key);
    this.#buckets.set(key, { left, at: this.#timing.now() });
    if (this.#buckets.size <= MOST_KEYS) return;
    for (const [oldest] of this.#buckets) {
      this.#buckets.delete(oldest);
      return;
    }
  }

  #left(key: string): number {
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) return this.#rate.burst;
    const refilled = bucket.left + ((this.#timing.now() - bucket.at) / 1000) * this.#rate.perSecond;
    return Math.min(this.#rate.burst, refilled);
  }
}
