import { setTimeout as sleep } from 'node:timers/promises';
import type { Installation } from './site.ts';

export interface SeenPods {
  /** The nodes of all worker pods that were seen, once for each pod, in order. Throws what a look has thrown. */
  stop(): Promise<string[]>;
}

/** Looks often enough to see each: a pod is there for seconds. */
export function watchWorkerPods(site: Installation): SeenPods {
  /** By uid, the node. */
  const seen = new Map<string, string>();
  const over = new AbortController();
  const watching = (async () => {
    while (!over.signal.aborted) {
      for (const { metadata } of await site.workerPods()) seen.set(metadata.uid, nodeOf(metadata.name));
      await sleep(100);
    }
  })();
  // Told at the end.
  watching.catch(() => undefined);
  return {
    stop: async () => {
      over.abort();
      await watching;
      return [...seen.values()].sort();
    },
  };
}

/** `eraser-n0-1fb981ee70`: also of one that is on no node yet. */
function nodeOf(name: string): string {
  return name.replace(/^eraser-(.+)-[0-9a-f]+$/, '$1');
}
