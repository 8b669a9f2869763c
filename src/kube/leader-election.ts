import type { Timing } from '../platform/timing.ts';
import { untilAborted } from '../platform/until-aborted.ts';
import type { KubeClient } from './kube-client.ts';
import { hasCode } from './kube-error.ts';
import type { KubeObject } from './kube-object.ts';
import { type HeldLease, newLease, readLease, withHolder, withoutHolder } from './lease.ts';
import { LEASES } from './resource.ts';
import { withDeadline } from './with-deadline.ts';

export interface LeaderElectionOptions {
  readonly client: Pick<KubeClient, 'find' | 'create' | 'update'>;
  readonly namespace: string;
  readonly name: string;
  /** Of this process and no other: the pod's name with something random. */
  readonly identity: string;
  readonly timing: Timing;
  /** Milliseconds since the epoch, only for the times that people read in the Lease. */
  readonly wallNow: () => number;
  /** For the log: a failed attempt, which is followed by another. */
  readonly onFault: (error: unknown) => void;
  /** How long others wait after the last sign of life before they take over. Whole seconds. */
  readonly leaseDurationMs?: number;
  /** How long the leader tries to renew before it gives up; what is left of the lease is its work's time to stop. */
  readonly renewDeadlineMs?: number;
  readonly retryPeriodMs?: number;
  /** The term that a Lease made anew begins with: above all that was ever seen, so that a deleted Lease turns no fencing back. */
  readonly firstTerm?: (signal: AbortSignal) => Promise<number>;
}

export interface Leadership {
  /** Aborts when leadership is lost (its reason is a LeadershipLost) or the election is stopped. Work has to end then. */
  readonly signal: AbortSignal;
  /** The Lease's leaseTransitions: greater for each leader than for all before it. What is written under a smaller one is stale. */
  readonly term: number;
  /** Whether the lease is certainly still this leader's, at this moment: a process that was frozen learns it here, before its timers fire. */
  readonly isHeld: () => boolean;
}

/** `stopped`: by the signal. `lost`: to another, or no renewal in time; the process had better exit. `finished`: the work ended by itself. */
export type LeadershipEnd = 'stopped' | 'lost' | 'finished';

export class LeadershipLost extends Error {
  constructor(why: string, cause?: unknown) {
    super(`leadership was lost: ${why}`, cause === undefined ? undefined : { cause });
    this.name = 'LeadershipLost';
  }
}

interface Held {
  readonly lease: KubeObject;
  readonly record: HeldLease;
  /** When the request that won or renewed it was sent: others count from later than that. */
  readonly since: number;
}

/** As client-go's. */
const LEASE_DURATION_MS = 15_000;
const RENEW_DEADLINE_MS = 10_000;
const RETRY_PERIOD_MS = 2_000;

/**
 * At most one leader at a time, by a Lease that is replaced only at the resourceVersion that was read. Whether another's lease has expired
 * is judged by how long this process has seen it unchanged, never by the times in it: clocks differ.
 */
export class LeaderElection {
  readonly #options: LeaderElectionOptions;
  readonly #leaseDurationMs: number;
  readonly #renewDeadlineMs: number;
  readonly #retryPeriodMs: number;
  /** The Lease as last seen, and since when. */
  #observed: { readonly version: string; readonly at: number } | null = null;
  #leader = '';

  constructor(options: LeaderElectionOptions) {
    this.#options = options;
    this.#leaseDurationMs = options.leaseDurationMs ?? LEASE_DURATION_MS;
    this.#renewDeadlineMs = options.renewDeadlineMs ?? RENEW_DEADLINE_MS;
    this.#retryPeriodMs = options.retryPeriodMs ?? RETRY_PERIOD_MS;
    if (
      this.#leaseDurationMs % 1000 !== 0 ||
      this.#renewDeadlineMs >= this.#leaseDurationMs ||
      this.#retryPeriodMs >= this.#renewDeadlineMs
    ) {
      throw new TypeError('a lease lasts whole seconds, longer than its renewals are tried, and those longer than the pause between them');
    }
  }

  /** The identity of the leader as last seen; empty: none. */
  get leader(): string {
    return this.#leader;
  }

  /**
   * Waits for leadership, then runs `lead` once. Its work has ended when this resolves, and only then the lease is given up: nobody else
   * can lead while it still runs, except when it takes longer to stop after a loss than what is left of the lease. Rejects with what
   * `lead` threw, unless that was to end.
   */
  async run(signal: AbortSignal, lead: (leadership: Leadership) => Promise<void>): Promise<LeadershipEnd> {
    const isStopped = (): boolean => signal.aborted;
    const won = await this.#acquire(signal);
    if (won === null) return 'stopped';
    if (isStopped()) {
      await this.#release(won);
      return 'stopped';
    }
    let held = won;
    const leading = new AbortController();
    const renewing = new AbortController();
    const onStop = (): void => leading.abort(signal.reason);
    signal.addEventListener('abort', onStop, { once: true });
    const renewals = this.#renew(won, { signal: renewing.signal, onRenewed: (renewed) => (held = renewed) }).then((lost) => {
      if (lost !== null) leading.abort(lost);
      return lost;
    });
    const isHeld = (): boolean => !leading.signal.aborted && this.#options.timing.now() - held.since < this.#leaseDurationMs;
    // At once, so that it never begins with a signal that has aborted; and what it throws at once is a rejection, too.
    const begin = async (): Promise<void> => lead({ signal: leading.signal, term: won.record.transitions, isHeld });
    const [work] = await Promise.allSettled([begin()]);
    signal.removeEventListener('abort', onStop);
    renewing.abort();
    const isLost = (await renewals) !== null;
    if (!isLost) await this.#release(held);
    if (work.status === 'rejected' && !(leading.signal.aborted && work.reason === leading.signal.reason)) throw work.reason;
    if (isLost) return 'lost';
    return isStopped() ? 'stopped' : 'finished';
  }

  /** null: the signal aborted. */
  async #acquire(signal: AbortSignal): Promise<Held | null> {
    const { timing } = this.#options;
    while (!signal.aborted) {
      try {
        const held = await this.#tryToAcquire(signal);
        if (held !== null && this.#isFresh(held)) return held;
        if (held !== null) await this.#release(held);
      } catch (error) {
        if (error !== signal.reason && !hasCode(error, 'conflict', 'already-exists')) this.#options.onFault(error);
      }
      // Jittered, so that candidates don't stay in step.
      await timing.sleep(this.#retryPeriodMs * (1 + timing.random()), signal).catch(() => undefined);
    }
    return null;
  }

  /** Winning did not take so long that it should have been renewed by now. */
  #isFresh({ since }: Held): boolean {
    return this.#options.timing.now() - since < this.#renewDeadlineMs;
  }

  async #tryToAcquire(signal: AbortSignal): Promise<Held | null> {
    const { client, timing } = this.#options;
    const call = { signal, deadlineMs: this.#renewDeadlineMs, retryBudgetMs: 0 };
    const lease = await client.find(this.#reference(), call);
    const since = timing.now();
    if (lease === null) {
      const record = this.#record((await this.#options.firstTerm?.(signal)) ?? 0);
      return this.#won(await client.create({ resource: LEASES, namespace: this.#options.namespace }, newLease(this.#at(), record), call), {
        record,
        since,
      });
    }
    const { transitions } = readLease(lease);
    if (!this.#isFree(lease)) return null;
    const record = this.#record(transitions + 1);
    return this.#won(await client.update(this.#reference(), withHolder(lease, record), call), { record, since });
  }

  /** Also a lease under this very identity is another's: this election has not won it. */
  #isFree(lease: KubeObject): boolean {
    const { holder, durationSeconds } = readLease(lease);
    const now = this.#options.timing.now();
    const version = lease.metadata.resourceVersion ?? '';
    if (this.#observed?.version !== version) this.#observed = { version, at: now };
    this.#leader = holder;
    return holder === '' || now - this.#observed.at >= durationSeconds * 1000;
  }

  #won(lease: KubeObject, { record, since }: Omit<Held, 'lease'>): Held {
    this.#leader = record.holder;
    return { lease, record, since };
  }

  /** Until the signal aborts (null) or the lease is lost. */
  async #renew(
    won: Held,
    { signal, onRenewed }: { readonly signal: AbortSignal; readonly onRenewed: (held: Held) => void },
  ): Promise<LeadershipLost | null> {
    const { timing, onFault } = this.#options;
    let held = won;
    for (let failure: unknown; ;) {
      const left = held.since + this.#renewDeadlineMs - timing.now();
      if (left <= 0) return new LeadershipLost(`no renewal succeeded within ${this.#renewDeadlineMs} ms`, failure);
      await timing.sleep(Math.min(this.#retryPeriodMs, left), signal).catch(() => undefined);
      if (signal.aborted) return null;
      const ms = held.since + this.#renewDeadlineMs - timing.now();
      if (ms <= 0) continue;
      try {
        const renewed = await withDeadline({ ms, timing, signal }, (within) => untilAborted(this.#renewOnce(held, within), within));
        if (renewed === null) return new LeadershipLost(`${this.#leader === '' ? 'nobody' : this.#leader} holds the lease`);
        held = renewed;
        onRenewed(held);
      } catch (error) {
        if (error === signal.reason) return null;
        failure = error;
        onFault(error);
      }
    }
  }

  /** null: it is not ours any more. */
  async #renewOnce(held: Held, signal: AbortSignal): Promise<Held | null> {
    const since = this.#options.timing.now();
    const record = { ...held.record, renewedAt: this.#options.wallNow() };
    const lease = await this.#replace(held, (current) => withHolder(current, record), signal);
    return lease === null ? null : { lease, record, since };
  }

  /** null: the Lease is not ours any more. */
  async #replace(held: Held, change: (lease: KubeObject) => KubeObject, signal: AbortSignal): Promise<KubeObject | null> {
    const { client } = this.#options;
    const call = { signal, retryBudgetMs: 0 };
    try {
      return await client.update(this.#reference(), change(held.lease), call);
    } catch (error) {
      if (hasCode(error, 'not-found')) return null;
      if (!hasCode(error, 'conflict')) throw error;
    }
    // Somebody annotated it, or an earlier renewal went through unnoticed; or it was taken over.
    const lease = await client.find(this.#reference(), call);
    const now = lease === null ? null : readLease(lease);
    this.#leader = now?.holder ?? '';
    if (lease === null || now?.holder !== held.record.holder || now.transitions !== held.record.transitions) return null;
    return client.update(this.#reference(), change(lease), call);
  }

  /** Best effort: a lease that is not released expires. Not by the signal of the election, which has aborted. */
  async #release(held: Held): Promise<void> {
    const { timing, wallNow, onFault } = this.#options;
    const { signal } = new AbortController();
    try {
      await withDeadline({ ms: this.#renewDeadlineMs, timing, signal }, (within) =>
        untilAborted(
          this.#replace(held, (lease) => withoutHolder(lease, wallNow()), within),
          within,
        ),
      );
      this.#leader = '';
    } catch (error) {
      onFault(error);
    }
  }

  #record(transitions: number): HeldLease {
    const now = this.#options.wallNow();
    const durationSeconds = this.#leaseDurationMs / 1000;
    return { holder: this.#options.identity, durationSeconds, transitions, acquiredAt: now, renewedAt: now };
  }

  #at(): { namespace: string; name: string } {
    return { namespace: this.#options.namespace, name: this.#options.name };
  }

  #reference(): { resource: typeof LEASES; namespace: string; name: string } {
    return { resource: LEASES, ...this.#at() };
  }
}
