import { setTimeout as sleep } from 'node:timers/promises';
import { IMAGE_JOB, type ImageJobStatus } from '../../src/api/image-job.ts';
import { API_GROUP } from '../../src/api/custom-resource.ts';
import { connectToCluster } from '../../src/kube/connect-to-cluster.ts';
import type { KubeClient } from '../../src/kube/kube-client.ts';
import type { KubeObject } from '../../src/kube/kube-object.ts';

const COLLECTION = { resource: { group: API_GROUP, version: 'v1', plural: IMAGE_JOB.plural, namespaced: false } };

const WATCH = { timeoutSeconds: 3_600, inactivityMs: 3_600_000 };
const AGAIN_MS = 200;

/** A run that has begun. */
export interface WatchedRun {
  /** Milliseconds from its making to its completion. Rejects when it fails. */
  untilCompleted(): Promise<number>;
  /** Whatever came of it. */
  untilEnded(): Promise<EndedRun>;
}

export interface EndedRun {
  /** From its making to its end. */
  readonly ms: number;
  readonly status: ImageJobStatus;
}

/** Sees ImageJobs as they come and change, by a watch. */
export class RunWatch {
  readonly #client: KubeClient;
  readonly #stop = new AbortController();
  readonly #seen = new Map<string, { readonly at: number; readonly ended: PromiseWithResolvers<EndedRun> }>();
  #next = Promise.withResolvers<WatchedRun>();

  private constructor(client: KubeClient) {
    this.#client = client;
  }

  static async begin(kubeconfig: string): Promise<RunWatch> {
    const { client } = await connectToCluster({ kubeconfig, environment: {}, userAgent: 'image-cleaner-bench', wallNow: Date.now });
    const watch = new RunWatch(client);
    // What there is already is no run that begins.
    const { items, resourceVersion } = await client.list(COLLECTION, { trim: (object) => object }, { signal: watch.#stop.signal });
    for (const { metadata } of items) watch.#seen.set(metadata.uid ?? '', { at: Number.NaN, ended: Promise.withResolvers() });
    void watch.#follow(resourceVersion);
    return watch;
  }

  /** The run that begins next. */
  next(): Promise<WatchedRun> {
    this.#next = Promise.withResolvers<WatchedRun>();
    return this.#next.promise;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#client.close();
  }

  /** An API server that is away is asked again, and then all is looked at anew. */
  async #follow(resourceVersion: string): Promise<void> {
    const { signal } = this.#stop;
    for (let from: string | null = resourceVersion; !signal.aborted;) {
      try {
        from ??= await this.#lookAtAll();
        for await (const event of this.#client.watch(COLLECTION, { resourceVersion: from, ...WATCH }, signal)) {
          if (event.type === 'added' || event.type === 'modified') this.#see(event.object);
        }
      } catch {
        await sleep(AGAIN_MS);
      }
      from = null;
    }
  }

  async #lookAtAll(): Promise<string> {
    const { items, resourceVersion } = await this.#client.list(COLLECTION, { trim: (object) => object }, { signal: this.#stop.signal });
    items.forEach((object) => this.#see(object));
    return resourceVersion;
  }

  #see({ metadata: { uid = '' }, status }: KubeObject): void {
    const known = this.#seen.get(uid);
    const now = performance.now();
    if (known === undefined) {
      const ended = Promise.withResolvers<EndedRun>();
      this.#seen.set(uid, { at: now, ended });
      this.#next.resolve({ untilEnded: () => ended.promise, untilCompleted: () => ended.promise.then(msOfCompleted) });
      return;
    }
    const told = (status ?? {}) as ImageJobStatus;
    if (told.phase === 'Completed' || told.phase === 'Failed') known.ended.resolve({ ms: now - known.at, status: told });
  }
}

function msOfCompleted({ ms, status }: EndedRun): number {
  if (status.phase !== 'Completed') throw new Error(`the run has failed: ${JSON.stringify(status)}`);
  return ms;
}
