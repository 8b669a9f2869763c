import PQueue from 'p-queue';
import type { PendingPod } from '../core/image-use.ts';
import { shareReads } from '../platform/share-reads.ts';
import type { NodePods } from './ports.ts';

interface Reads {
  readonly list: (signal: AbortSignal) => Promise<readonly PendingPod[]>;
  waiting: number;
}

/**
 * A node's removals ask for its pods all at once: they share reads of the API server, each of which begins after the last of them has asked. Not more
 * than so many are under way at a time, whatever the number of nodes.
 */
export class NodePodReads implements NodePods {
  readonly #pods: NodePods;
  readonly #timeLimitMs: number;
  readonly #queue: PQueue;
  readonly #byNode = new Map<string, Reads>();

  constructor(pods: NodePods, limits: { readonly atOnce: number; readonly timeLimitMs: number }) {
    this.#pods = pods;
    this.#timeLimitMs = limits.timeLimitMs;
    this.#queue = new PQueue({ concurrency: limits.atOnce });
  }

  async list(node: string, signal: AbortSignal): Promise<readonly PendingPod[]> {
    const reads = this.#byNode.get(node) ?? this.#begin(node);
    reads.waiting += 1;
    try {
      return await reads.list(signal);
    } finally {
      reads.waiting -= 1;
      if (reads.waiting === 0) this.#byNode.delete(node);
    }
  }

  #begin(node: string): Reads {
    const list = shareReads(() => this.#queue.add(() => this.#pods.list(node, AbortSignal.timeout(this.#timeLimitMs))));
    const reads = { list, waiting: 0 };
    this.#byNode.set(node, reads);
    return reads;
  }
}
