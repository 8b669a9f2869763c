import type { ClusterFacts } from '../../lab/cluster.ts';

/** What the global set-up has made ready. */
export interface Prepared {
  readonly cluster: ClusterFacts;
  /** As the nodes have them. */
  readonly image: string;
  readonly scannerImage: string;
  /** An archive of both, for nodes that lack them. */
  readonly imageArchive: string;
  /** A folder of this machine, which the nodes see too, with a vulnerability database. */
  readonly trivyCache: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    prepared: Prepared;
    /** Why there is nothing of it on this machine; null: there is. */
    missing: string | null;
  }
}
