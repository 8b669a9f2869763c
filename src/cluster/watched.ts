import type { Selectors } from '../kube/list-pages.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { Reflector } from '../kube/reflector.ts';
import type { Collection } from '../kube/resource.ts';
import type { Timing } from '../platform/timing.ts';
import type { ClusterSite } from './cluster-site.ts';

export interface WatchedOptions<T> extends Selectors {
  readonly collection: Collection;
  /** What is kept of an object. Must not throw. */
  readonly trim: (object: KubeObject) => T;
  readonly onChange: () => void;
  readonly timing: Timing;
}

/** What is seen of a collection, from the beginning of a piece of work to its end. */
export interface Watched<T> {
  /** Of each object, by its key, as it was last seen: also of those that are gone by now. */
  readonly seen: ReadonlyMap<string, T>;
  isThere(key: string): boolean;
}

/** Does a piece of work that looks at a collection. Throws what the first list throws; later the watch is taken up again when it breaks. */
export async function withWatched<T, Result>(
  { client, call }: ClusterSite,
  { onChange, ...options }: WatchedOptions<T>,
  work: (watched: Watched<T>) => Promise<Result>,
): Promise<Result> {
  const seen = new Map<string, T>();
  const over = new AbortController();
  const signal = AbortSignal.any([call.signal, over.signal]);
  const failed = Promise.withResolvers<never>();
  const reflector: Reflector<T> = new Reflector({
    client,
    ...options,
    onChange: (key) => {
      const value = reflector.store.get(key);
      if (value !== undefined) seen.set(key, value);
      onChange();
    },
    onFault: (error) => {
      if (!reflector.synced) failed.reject(error);
    },
  });
  const following = reflector.run(signal);
  try {
    await Promise.race([reflector.whenSynced(signal), failed.promise]);
    return await work({ seen, isThere: (key) => reflector.store.get(key) !== undefined });
  } finally {
    over.abort();
    await following;
  }
}
