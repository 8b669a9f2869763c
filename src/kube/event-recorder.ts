import type { Timing } from '../platform/timing.ts';
import { type EventFacts, eventNamespace, eventObject } from './event-object.ts';
import type { KubeClient } from './kube-client.ts';
import { hasCode } from './kube-error.ts';
import { microTime } from './lease.ts';
import { EVENTS, type ObjectReference } from './resource.ts';

export interface EventRecorderOptions {
  readonly client: Pick<KubeClient, 'create' | 'patch'>;
  readonly reportingController: string;
  readonly reportingInstance: string;
  readonly timing: Timing;
  /** Milliseconds since the epoch. */
  readonly wallNow: () => number;
  /** An event that could not be written is lost: the state it tells of is elsewhere. */
  readonly onFault: (error: unknown) => void;
}

/** As client-go: what comes again after this is a new event. */
const SERIES_MS = 6 * 60_000;
/** The first repetition is written at once, further ones together. */
const WRITE_PAUSE_MS = 30_000;
/** Series that are remembered; the oldest is forgotten first. */
const MOST_SERIES = 1_000;
/** Series that are being written, or wait for that; what is new beyond is lost, as long as the API server is away. */
const MOST_WRITES = 200;

interface Series {
  readonly facts: EventFacts;
  count: number;
  lastAt: number;
  lastWallAt: number;
  /** null: not written yet. */
  reference: ObjectReference | null;
  writtenCount: number;
  writtenAt: number;
  writing: boolean;
}

/**
 * Writes events as `kubectl describe` shows them: the same fact again is not a new event but counts up the series of the first
 * (`5m (x12 over 40m)`). Writing goes on beside the caller.
 */
export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #series = new Map<string, Series>();
  readonly #writes = new Set<Promise<void>>();
  #created = 0;
  readonly #closing = new AbortController();
  readonly #stopped = new AbortController();

  constructor(options: EventRecorderOptions) {
    this.#options = options;
  }

  record(facts: EventFacts): void {
    if (this.#closing.signal.aborted) return;
    const now = this.#options.timing.now();
    const key = keyOf(facts);
    const known = this.#series.get(key);
    const series = known !== undefined && now - known.lastAt < SERIES_MS ? known : this.#begin(key, facts);
    series.count += 1;
    series.lastAt = now;
    series.lastWallAt = this.#options.wallNow();
    if (series.writing) return;
    if (this.#writes.size >= MOST_WRITES) {
      this.#options.onFault(new Error(`too many events wait to be written, one is lost: ${facts.reason}: ${facts.note}`));
      return;
    }
    series.writing = true;
    const write = this.#writeSeries(series).finally(() => {
      series.writing = false;
      this.#writes.delete(write);
    });
    this.#writes.add(write);
  }

  /** Writes what has not been written yet, at once, and takes no more. When the signal aborts, the rest is lost. */
  async close(signal: AbortSignal): Promise<void> {
    this.#closing.abort();
    const onAbort = (): void => this.#stopped.abort(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    await Promise.all(this.#writes);
    signal.removeEventListener('abort', onAbort);
  }

  #begin(key: string, facts: EventFacts): Series {
    const series = { facts, count: 0, lastAt: 0, lastWallAt: 0, reference: null, writtenCount: 0, writtenAt: -Infinity, writing: false };
    this.#series.delete(key);
    this.#series.set(key, series);
    const oldest = this.#series.keys().next().value;
    if (this.#series.size > MOST_SERIES && oldest !== undefined) this.#series.delete(oldest);
    return series;
  }

  async #writeSeries(series: Series): Promise<void> {
    const { timing, onFault } = this.#options;
    try {
      while (series.writtenCount < series.count) {
        const pauseMs = series.writtenCount < 2 ? 0 : series.writtenAt + WRITE_PAUSE_MS - timing.now();
        if (pauseMs > 0) await timing.sleep(pauseMs, this.#closing.signal).catch(() => undefined);
        const { count } = series;
        await this.#write(series, count);
        series.writtenCount = count;
        series.writtenAt = timing.now();
      }
    } catch (error) {
      series.writtenCount = series.count;
      onFault(error);
    }
  }

  async #write(series: Series, count: number): Promise<void> {
    if (series.reference !== null && (await this.#patched(series.reference, series, count))) return;
    const { client, timing, reportingController, reportingInstance } = this.#options;
    const namespace = eventNamespace(series.facts.regarding);
    // Time and chance, for the events of other processes; the count, for those of this one.
    this.#created += 1;
    const parts = [series.lastWallAt, timing.random() * 0x10000, this.#created];
    const suffix = parts.map((part) => Math.floor(part).toString(16)).join('-');
    const event = eventObject(series.facts, { reportingController, reportingInstance, suffix, at: series.lastWallAt });
    const { metadata } = await client.create({ resource: EVENTS, namespace }, event, this.#call());
    series.reference = { resource: EVENTS, namespace, name: metadata.name };
    if (count > 1) await this.#patched(series.reference, series, count);
  }

  /** False: the event is gone, since they are kept for an hour. */
  async #patched(reference: ObjectReference, series: Series, count: number): Promise<boolean> {
    const patch = { series: { count, lastObservedTime: microTime(series.lastWallAt) } };
    try {
      await this.#options.client.patch(reference, { strategy: 'merge', patch }, this.#call());
      return true;
    } catch (error) {
      if (hasCode(error, 'not-found')) return false;
      throw error;
    }
  }

  #call(): { readonly signal: AbortSignal } {
    return { signal: this.#stopped.signal };
  }
}

function keyOf({ regarding, type, reason, action, note }: EventFacts): string {
  const { kind, namespace, name, uid } = regarding;
  return JSON.stringify([kind, namespace, name, uid, type, reason, action, note]);
}
