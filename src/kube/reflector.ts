import { backoffMs, type Timing } from '../platform/timing.ts';
import { untilAborted } from '../platform/until-aborted.ts';
import { isOlderVersion } from './compare-resource-versions.ts';
import type { KubeClient } from './kube-client.ts';
import { hasCode, KubeError, type KubeErrorCode } from './kube-error.ts';
import { keyOf, type KubeObject } from './kube-object.ts';
import type { Selectors } from './list-pages.ts';
import { ObjectStore } from './object-store.ts';
import { type Collection, describeIntent, intentOn } from './resource.ts';
import type { WatchEvent } from './watch-events.ts';

export interface ReflectorOptions<T> extends Selectors {
  readonly client: Pick<KubeClient, 'list' | 'watch' | 'server'>;
  readonly collection: Collection;
  /** What is kept of an object. Must not throw: an object that cannot be read is a value of T, too. */
  readonly trim: (object: KubeObject) => T;
  /** Called when the object of this key (`keyOf`) came, changed or went. Has only to enqueue the key. */
  readonly onChange: (key: string) => void;
  /** For the log: the reflector itself goes on. */
  readonly onFault: (error: unknown) => void;
  readonly timing: Timing;
  readonly pageSize?: number;
  /** After which a silent watch is dead, milliseconds. */
  readonly inactivityMs?: number;
}

/**
 * Two and a half of the API server's bookmarks, which come once a minute; but after its start an API server sends none until something has
 * happened in the resource. So silence is no fault, only a reason to ask again.
 */
const INACTIVITY_MS = 150_000;
/** As client-go's five to ten minutes: random, so that a cluster's watches don't all come back together. */
const WATCH_SECONDS = { shortest: 300, spread: 300 };
const BACKOFF = { firstMs: 500, longestMs: 30_000 };
/** The longest that an API server is left alone because it says so: nothing is learned of the collection meanwhile. */
const LONGEST_LEFT_ALONE_MS = 5 * 60_000;
/** A watch that the API server ends sooner, without an event, counts as a failure: else it would be asked again without end. */
const SHORT_WATCH_MS = 1_000;
/** Failures in a row, answered by the API server, after which the resourceVersion itself is doubted. */
const DOUBTFUL_AFTER = 3;
/** After these, history goes on where it was broken off. */
const RESUMABLE: readonly KubeErrorCode[] = [
  'unreachable',
  'untrusted',
  'credentials-failed',
  'unauthorized',
  'forbidden',
  'throttled',
  'server-error',
];

/**
 * Keeps a copy of a collection: lists it, then follows its changes by watching, for as long as `run` lasts. The copy is never of a time
 * before that of an earlier look at it: a list is read from etcd's quorum, and replaces the copy only when it is complete.
 */
export class Reflector<T> {
  readonly store = new ObjectStore<T>();
  readonly #options: ReflectorOptions<T>;
  readonly #synced = Promise.withResolvers<undefined>();
  #isSynced = false;
  /** null: a list is due. */
  #resourceVersion: string | null = null;
  #lastEventAt: number;
  #hasProgressed = false;
  #isOpen = false;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#lastEventAt = options.timing.now();
  }

  /** Whether the first list is complete. */
  get synced(): boolean {
    return this.#isSynced;
  }

  /**
   * Since anything came from the API server, or since the beginning, if nothing ever came. Healthy watches have a bookmark every minute, or
   * are opened again after the inactivity limit: what is beyond that is a copy that grows old.
   */
  get secondsSinceLastEvent(): number {
    return (this.#options.timing.now() - this.#lastEventAt) / 1000;
  }

  async whenSynced(signal: AbortSignal): Promise<void> {
    await untilAborted(this.#synced.promise, signal);
  }

  /** Ends only with the signal, without an error: every failure is reported and followed by another try. */
  async run(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted;) {
      this.#beginRound();
      const { pauseFloorMs, isFailure } = await this.#round(failures, signal);
      failures = isFailure ? (this.#hasProgressed ? 1 : failures + 1) : 0;
      if (isFailure) await this.#pause(Math.max(pauseFloorMs, this.#backoffMs(failures)), signal);
    }
  }

  #beginRound(): void {
    this.#hasProgressed = false;
    this.#isOpen = false;
  }

  async #round(failures: number, signal: AbortSignal): Promise<{ readonly isFailure: boolean; readonly pauseFloorMs: number }> {
    const startedAt = this.#options.timing.now();
    const regularEnd = (): { readonly isFailure: boolean; readonly pauseFloorMs: number } => {
      const tooShort = this.#options.timing.now() - startedAt < SHORT_WATCH_MS;
      return { isFailure: tooShort && !this.#hasProgressed, pauseFloorMs: 0 };
    };
    try {
      this.#resourceVersion ??= await this.#list(signal);
      await this.#follow(this.#resourceVersion, signal);
      return regularEnd();
    } catch (error) {
      if (signal.aborted) return { isFailure: false, pauseFloorMs: 0 };
      if (this.#isOpen && isSilence(error)) return regularEnd();
      if (!isResumable(error, failures)) this.#resourceVersion = null;
      this.#reportFault(error);
      const asked = error instanceof KubeError ? (error.retryAfterMs ?? 0) : 0;
      return { isFailure: true, pauseFloorMs: Math.min(asked, LONGEST_LEFT_ALONE_MS) };
    }
  }

  async #list(signal: AbortSignal): Promise<string> {
    const { client, collection, labelSelector, fieldSelector, pageSize, trim } = this.#options;
    const options = {
      trim: (object: KubeObject) => ({ key: keyOf(object), version: object.metadata.resourceVersion ?? '', value: trim(object) }),
      ...(labelSelector === undefined ? {} : { labelSelector }),
      ...(fieldSelector === undefined ? {} : { fieldSelector }),
      ...(pageSize === undefined ? {} : { pageSize }),
    };
    const { items, resourceVersion } = await client.list(collection, options, { signal });
    signal.throwIfAborted();
    this.#lastEventAt = this.#options.timing.now();
    const changed = this.store.replace(items);
    this.#isSynced = true;
    this.#synced.resolve(undefined);
    changed.forEach((key) => this.#notify(key));
    return resourceVersion;
  }

  async #follow(resourceVersion: string, signal: AbortSignal): Promise<void> {
    const { client, collection, labelSelector, fieldSelector, timing, inactivityMs } = this.#options;
    const options = {
      resourceVersion,
      timeoutSeconds: WATCH_SECONDS.shortest + timing.random() * WATCH_SECONDS.spread,
      inactivityMs: inactivityMs ?? INACTIVITY_MS,
      ...(labelSelector === undefined ? {} : { labelSelector }),
      ...(fieldSelector === undefined ? {} : { fieldSelector }),
    };
    for await (const event of client.watch(collection, options, signal)) {
      this.#lastEventAt = timing.now();
      this.#isOpen = true;
      if (event.type !== 'opened') this.#take(event);
    }
  }

  #take(event: Exclude<WatchEvent, { type: 'opened' }>): void {
    const version = (event.type === 'bookmark' ? event.resourceVersion : event.object.metadata.resourceVersion) ?? '';
    if (isOlderVersion(version, this.#resourceVersion ?? '')) throw this.#wentBack(version);
    if (event.type !== 'bookmark') {
      const key = keyOf(event.object);
      if (event.type === 'deleted') this.store.delete(key);
      else this.store.set({ key, version, value: this.#options.trim(event.object) });
      this.#notify(key);
    }
    this.#resourceVersion = version;
    this.#hasProgressed = true;
  }

  /** etcd was restored from a backup: what was seen since may never have been. */
  #wentBack(version: string): KubeError {
    const { client, collection } = this.#options;
    return new KubeError({
      code: 'gone',
      message: `${describeIntent(intentOn('watch', collection))}: the API server at ${client.server} went back in time, to resourceVersion ${version}`,
      hint: 'Nothing is to be done: the collection is listed again.',
    });
  }

  #notify(key: string): void {
    try {
      this.#options.onChange(key);
    } catch (error) {
      this.#reportFault(error);
    }
  }

  #reportFault(error: unknown): void {
    try {
      this.#options.onFault(error);
    } catch {
      // There is nobody left to tell, and the copy must go on.
    }
  }

  #backoffMs(failures: number): number {
    return backoffMs(BACKOFF, failures - 1, this.#options.timing.random());
  }

  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    await this.#options.timing.sleep(ms, signal).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }
}

/** One with an answer is of an API server that does not know that resourceVersion yet. */
function isSilence(error: unknown): boolean {
  return hasCode(error, 'timeout') && error.status === undefined;
}

function isResumable(error: unknown, failures: number): boolean {
  if (!(error instanceof KubeError)) return false;
  if (error.status !== undefined && failures >= DOUBTFUL_AFTER) return false;
  return RESUMABLE.includes(error.code) || isSilence(error);
}
