import { CALL_LIMITS } from '../api/coordinator/coordinator-api.ts';
import { LEASE_MS, MOST_IN_HAND, type ReadFailure } from '../api/coordinator/scans-call.ts';
import type { Timing } from '../platform/timing.ts';
import type { Worker } from './ports.ts';

/** So many nodes try to read an image in one run, before all are told that it cannot be read. */
const MOST_READERS = 3;
/**
 * However often it says that it still reads: then another node may try. One that keeps to its own limit for an image says sooner that it has failed; this
 * is longer than a node's part in a run, for one that does not.
 */
const LONGEST_LEASE_MS = 2 * 3_600_000;
/** A millisecond for each call that waits: told of every verdict at once, a thousand nodes would ask as often for the next one. */
const MOST_PAUSE_MS = 1_000;
const FEW_WAITS = 20;
/** Of a run in which no node failed on an image for so long. */
const FORGOTTEN_MS = 3_600_000;
/** Of one node in one run: more than that are kept in mind of none. */
const MOST_FAILURES = 2_000;

interface Lease {
  readonly worker: Worker;
  /** However often it is renewed. */
  readonly end: number;
  until: number;
  /** Of its holder, that are under way and name the image. */
  calls: number;
}

/** What came of a node's attempt to read an image; null: its lease has run out, and it may tell yet what it has read. */
type Attempt = ReadFailure | null;

interface Attempts {
  heardAt: number;
  /** By image and node. */
  readonly byImage: Map<string, Map<string, Attempt>>;
  /** How many images each node has tried. */
  readonly ofNode: Map<string, number>;
}

/**
 * Which node reads which image now, so that each is read once for all. In memory: whoever leads next gives images out anew, and takes the word of
 * those who have some in hand.
 */
export class ScanLeases {
  readonly #timing: Pick<Timing, 'now' | 'sleep'>;
  readonly #leases = new Map<string, Lease>();
  readonly #imagesOf = new Map<string, Set<string>>();
  /** By run. */
  readonly #attempts = new Map<string, Attempts>();
  readonly #waiting = new Map<string, Set<() => void>>();
  #waits = 0;
  #sweptAt = -Infinity;

  constructor(timing: Pick<Timing, 'now' | 'sleep'>) {
    this.#timing = timing;
  }

  /** Those that it could take are this worker's for another while: a coordinator that has just begun knows of none who has it. */
  renew(worker: Worker, images: readonly string[]): void {
    for (const image of images) if (this.#mayHave(worker, image)) this.#lease(worker, image);
  }

  /** What this worker was leased, but for these, it has not: who wants it may read it. */
  keepOnly({ podUid }: Worker, images: readonly string[]): void {
    const kept = new Set(images);
    for (const image of this.#imagesOf.get(podUid) ?? []) if (!kept.has(image)) this.settle(image);
  }

  /** A call of this worker is under way, in which it cannot renew: no lease of its on these ends before. Gives the call that ends that. */
  hold(worker: Worker, images: readonly string[]): () => void {
    const held = new Map<string, Lease>();
    for (const image of images) {
      const lease = this.isHeldBy(worker, image) ? this.#leases.get(image) : undefined;
      if (lease !== undefined) held.set(image, lease);
    }
    for (const lease of held.values()) {
      lease.calls += 1;
      this.#extend(lease);
    }
    return () => {
      for (const [image, lease] of held) {
        lease.calls -= 1;
        if (this.#leases.get(image) === lease) this.#extend(lease);
      }
      held.clear();
    };
  }

  /** Leases this worker as many as it may take of those that nobody else reads now. */
  take(worker: Worker, images: readonly string[], most: number): string[] {
    const taken: string[] = [];
    for (const image of images) {
      if (taken.length === most) break;
      if (!this.#mayHave(worker, image)) continue;
      this.#lease(worker, image);
      taken.push(image);
    }
    return taken;
  }

  /** Whether it was leased the image in this run, and has not said yet what came of that. */
  mayTell(worker: Worker, image: string): boolean {
    return this.isHeldBy(worker, image) || this.#attempts.get(worker.job)?.byImage.get(image)?.get(worker.node) === null;
  }

  isHeldBy({ podUid }: Pick<Worker, 'podUid'>, image: string): boolean {
    return this.#holder(image) === podUid;
  }

  isElsewhere({ podUid }: Pick<Worker, 'podUid'>, image: string): boolean {
    const holder = this.#holder(image);
    return holder !== null && holder !== podUid;
  }

  /** Nobody reads it now. */
  settle(image: string): void {
    this.#drop(image);
    this.#wake(image);
  }

  /** This node could not read it. */
  fail(worker: Worker, image: string, failure: ReadFailure): void {
    this.#note(worker, image, failure);
    // Another may read it now.
    if (this.isHeldBy(worker, image)) this.#drop(image);
    this.#wake(image);
  }

  /** Why this image has no verdict in this run; null: it may be read yet, by this node. */
  failureOf({ job, node }: Worker, image: string): ReadFailure | null {
    const attempts = this.#attempts.get(job);
    const byNode = attempts?.byImage.get(image) ?? new Map<string, Attempt>();
    const own = byNode.get(node) ?? null;
    if (own !== null) return own;
    if (byNode.size >= MOST_READERS) return summarise([...byNode.values()]);
    if ((attempts?.ofNode.get(node) ?? 0) < MOST_FAILURES || byNode.has(node)) return null;
    return { kind: 'unscanned', reason: 'scan-failed', message: `this node could not read ${MOST_FAILURES} images: it is given no other` };
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
    if (lease.until > this.#timing.now()) return lease.worker.podUid;
    this.#drop(image);
    if (!this.#hasTried(lease.worker, image)) this.#note(lease.worker, image, null);
    return null;
  }

  /** The same for who asks for it and for who says to have it: saying so gives nobody more than asking. */
  #mayHave(worker: Worker, image: string): boolean {
    return !this.isElsewhere(worker, image) && this.failureOf(worker, image) === null && this.#hasRoom(worker.podUid, image);
  }

  /** Nobody keeps all images from all others. */
  #hasRoom(podUid: string, image: string): boolean {
    const images = this.#imagesOf.get(podUid);
    if (images === undefined || images.has(image) || images.size < MOST_IN_HAND) return true;
    // Those that have run out are dropped.
    for (const other of images) this.#holder(other);
    return images.size < MOST_IN_HAND;
  }

  #lease(worker: Worker, image: string): void {
    this.#sweep();
    const now = this.#timing.now();
    const { podUid } = worker;
    const lease = this.#leases.get(image) ?? { worker, end: now + LONGEST_LEASE_MS, until: now, calls: 0 };
    this.#extend(lease);
    this.#leases.set(image, lease);
    const images = this.#imagesOf.get(podUid) ?? new Set();
    images.add(image);
    this.#imagesOf.set(podUid, images);
  }

  #extend(lease: Lease): void {
    // No call lasts longer.
    const callMs = lease.calls === 0 ? 0 : CALL_LIMITS.scans.timeLimitMs;
    lease.until = Math.min(this.#timing.now() + callMs + LEASE_MS, lease.end);
  }

  /** What nobody asks for any more is forgotten, too. */
  #sweep(): void {
    const now = this.#timing.now();
    if (now - this.#sweptAt < LEASE_MS) return;
    this.#sweptAt = now;
    for (const image of this.#leases.keys()) this.#holder(image);
    this.#forget();
  }

  #forget(): void {
    const now = this.#timing.now();
    for (const [job, { heardAt }] of this.#attempts) if (now - heardAt > FORGOTTEN_MS) this.#attempts.delete(job);
  }

  #drop(image: string): void {
    const lease = this.#leases.get(image);
    if (lease === undefined) return;
    this.#leases.delete(image);
    const images = this.#imagesOf.get(lease.worker.podUid);
    images?.delete(image);
    if (images?.size === 0) this.#imagesOf.delete(lease.worker.podUid);
  }

  #hasTried({ job, node }: Worker, image: string): boolean {
    return this.#attempts.get(job)?.byImage.get(image)?.has(node) === true;
  }

  #note(worker: Worker, image: string, attempt: Attempt): void {
    const { job, node } = worker;
    this.#forget();
    const now = this.#timing.now();
    const attempts: Attempts = this.#attempts.get(job) ?? { heardAt: now, byImage: new Map(), ofNode: new Map() };
    attempts.heardAt = now;
    this.#attempts.set(job, attempts);
    if (!this.#hasTried(worker, image)) {
      const count = attempts.ofNode.get(node) ?? 0;
      if (count === MOST_FAILURES) return;
      attempts.ofNode.set(node, count + 1);
    }
    const byNode = attempts.byImage.get(image) ?? new Map<string, Attempt>();
    byNode.set(node, attempt);
    attempts.byImage.set(image, byNode);
  }

  #wake(image: string): void {
    for (const tell of this.#waiting.get(image) ?? []) tell();
  }

  #waitersOf(image: string): Set<() => void> {
    const waiters = this.#waiting.get(image) ?? new Set();
    this.#waiting.set(image, waiters);
    return waiters;
  }
}

/** Of an image that as many nodes have tried to read as may. */
function summarise(attempts: readonly Attempt[]): ReadFailure {
  const [first = null, ...others] = attempts;
  // One that cannot be parsed may be damaged on one node alone: it takes all that tried, and the same error.
  if (first?.kind === 'unscannable' && others.every((other) => other?.kind === 'unscannable' && other.error === first.error)) return first;
  const isLate = attempts.every((attempt) => attempt === null || (attempt.kind === 'unscanned' && attempt.reason === 'timeout'));
  const last = attempts.at(-1) ?? null;
  const why = last === null ? 'it was not heard of any more' : last.kind === 'unscannable' ? last.error : last.message;
  const message = `${attempts.length} nodes could not read it, the last of them: ${why}`;
  return { kind: 'unscanned', reason: isLate ? 'timeout' : 'scan-failed', message };
}
