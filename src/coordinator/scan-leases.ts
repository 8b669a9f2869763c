import { LEASE_MS, MOST_IN_HAND, type ReadFailure } from '../api/coordinator/scans-call.ts';
import type { Timing } from '../platform/timing.ts';
import type { Worker } from './ports.ts';

/** So many nodes try to read an image in one run, before all are told that it cannot be read. */
const MOST_READERS = 3;
/** However often it says that it still reads: then another node may try. */
const LONGEST_LEASE_MS = 15 * 60_000;
/** A millisecond for each call that waits: told of every verdict at once, a thousand nodes would ask as often for the next one. */
const MOST_PAUSE_MS = 1_000;
const FEW_WAITS = 20;
/** Of a run in which no node failed on an image for so long. */
const FORGOTTEN_MS = 3_600_000;

interface Lease {
  readonly podUid: string;
  readonly since: number;
  readonly until: number;
}

interface Failures {
  heardAt: number;
  /** By image and node. */
  readonly byImage: Map<string, Map<string, ReadFailure>>;
}

/**
 * Which node reads which image now, so that each is read once for all. In memory: whoever leads next gives images out anew, and takes the word of
 * those who have some in hand.
 */
export class ScanLeases {
  readonly #timing: Pick<Timing, 'now' | 'sleep'>;
  readonly #leases = new Map<string, Lease>();
  readonly #imagesOf = new Map<string, Set<string>>();
  readonly #failures = new Map<string, Failures>();
  readonly #waiting = new Map<string, Set<() => void>>();
  #waits = 0;

  constructor(timing: Pick<Timing, 'now' | 'sleep'>) {
    this.#timing = timing;
  }

  /** Those that nobody else has are this worker's for another while. */
  renew({ podUid }: Worker, images: readonly string[]): void {
    for (const image of images) if (!this.isElsewhere({ podUid }, image) && this.#hasRoom(podUid, image)) this.#lease(podUid, image);
  }

  /** Leases this worker as many as it may take of those that nobody else reads now. */
  take({ podUid }: Worker, images: readonly string[], most: number): string[] {
    const taken: string[] = [];
    for (const image of images) {
      if (taken.length === most) break;
      if (this.isElsewhere({ podUid }, image) || !this.#hasRoom(podUid, image)) continue;
      this.#lease(podUid, image);
      taken.push(image);
    }
    return taken;
  }

  isHeldBy({ podUid }: Pick<Worker, 'podUid'>, image: string): boolean {
    return this.#holder(image) === podUid;
  }

  isElsewhere({ podUid }: Pick<Worker, 'podUid'>, image: string): boolean {
    const holder = this.#holder(image);
    return holder !== null && holder !== podUid;
  }

  /** There is a verdict: nobody need read it. */
  settle(image: string): void {
    this.#drop(image);
    for (const tell of this.#waiting.get(image) ?? []) tell();
  }

  /** This node could not read it. */
  fail({ job, node }: Worker, image: string, failure: ReadFailure): void {
    const failures = this.#failuresOf(job);
    const byNode = failures.byImage.get(image) ?? new Map<string, ReadFailure>();
    byNode.set(node, failure);
    failures.byImage.set(image, byNode);
    this.settle(image);
  }

  /** Why this image has no verdict in this run; null: it may be read yet, by this node. */
  failureOf({ job, node }: Worker, image: string): ReadFailure | null {
    const byNode = this.#failures.get(job)?.byImage.get(image);
    if (byNode === undefined) return null;
    const own = byNode.get(node);
    if (own !== undefined) return own;
    if (byNode.size < MOST_READERS) return null;
    const [first, ...others] = [...byNode.values()];
    // One that cannot be parsed may be damaged on one node alone: it takes all that tried, and the same error.
    if (first?.kind === 'unscannable' && others.every((other) => other.kind === 'unscannable' && other.error === first.error)) return first;
    const [last] = [...byNode.values()].slice(-1);
    const why = last === undefined ? '' : last.kind === 'unscannable' ? last.error : last.message;
    return { kind: 'unscanned', reason: 'scan-failed', message: `${byNode.size} nodes could not read it, the last of them: ${why}` };
  }

  /**
   * Resolves when one of these has a verdict, was given up or may be taken, or when the signal aborts. Where many wait, a moment later: by then there
   * is more to tell.
   */
  async untilChanged(images: readonly string[], signal: AbortSignal): Promise<void> {
    // Settled since it was looked at.
    if (signal.aborted || images.some((image) => this.#holder(image) === null)) return;
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const done = (): void => resolve(undefined);
    const ends = images.flatMap((image) => this.#leases.get(image)?.until ?? []);
    const firstEnd = setTimeout(done, Math.max(0, Math.min(...ends) - this.#timing.now()) + 1);
    for (const image of images) this.#waitersOf(image).add(done);
    signal.addEventListener('abort', done, { once: true });
    this.#waits += 1;
    try {
      await promise;
      const pauseMs = this.#waits < FEW_WAITS ? 0 : Math.min(this.#waits, MOST_PAUSE_MS);
      if (pauseMs > 0) await this.#timing.sleep(pauseMs, signal).catch(() => undefined);
    } finally {
      this.#waits -= 1;
      clearTimeout(firstEnd);
      signal.removeEventListener('abort', done);
      for (const image of images) {
        const waiters = this.#waiting.get(image);
        waiters?.delete(done);
        if (waiters?.size === 0) this.#waiting.delete(image);
      }
    }
  }

  /** The uid of the pod that reads it now. */
  #holder(image: string): string | null {
    const lease = this.#leases.get(image);
    if (lease === undefined) return null;
    if (lease.until > this.#timing.now()) return lease.podUid;
    this.#drop(image);
    return null;
  }

  /** Nobody keeps all images from all others. */
  #hasRoom(podUid: string, image: string): boolean {
    const images = this.#imagesOf.get(podUid);
    if (images === undefined || images.has(image) || images.size < MOST_IN_HAND) return true;
    // Those that have run out are dropped.
    for (const other of images) this.#holder(other);
    return images.size < MOST_IN_HAND;
  }

  #lease(podUid: string, image: string): void {
    const now = this.#timing.now();
    const since = this.#leases.get(image)?.since ?? now;
    this.#leases.set(image, { podUid, since, until: Math.min(now + LEASE_MS, since + LONGEST_LEASE_MS) });
    const images = this.#imagesOf.get(podUid) ?? new Set();
    images.add(image);
    this.#imagesOf.set(podUid, images);
  }

  #drop(image: string): void {
    const lease = this.#leases.get(image);
    if (lease === undefined) return;
    this.#leases.delete(image);
    const images = this.#imagesOf.get(lease.podUid);
    images?.delete(image);
    if (images?.size === 0) this.#imagesOf.delete(lease.podUid);
  }

  #failuresOf(job: string): Failures {
    const now = this.#timing.now();
    for (const [other, { heardAt }] of this.#failures) if (now - heardAt > FORGOTTEN_MS) this.#failures.delete(other);
    const failures = this.#failures.get(job) ?? { heardAt: now, byImage: new Map() };
    failures.heardAt = now;
    this.#failures.set(job, failures);
    return failures;
  }

  #waitersOf(image: string): Set<() => void> {
    const waiters = this.#waiting.get(image) ?? new Set();
    this.#waiting.set(image, waiters);
    return waiters;
  }
}
