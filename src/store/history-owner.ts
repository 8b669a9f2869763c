import { historyError } from './history-error.ts';

/** The cluster whose manager opens a history. */
export interface HistoryOwner {
  /** The uid of its namespace `kube-system`, which stays the same for as long as there is the cluster. */
  readonly cluster: string;
  /** The cluster whose history is to become that of this one; null: none. */
  readonly from: string | null;
}

/**
 * Whether it has yet to be written down that the history is this cluster's. `stored`: whose it is by now; null: nobody has said.
 * @throws HistoryError `other-cluster`
 */
export function isToBeClaimed(stored: string | null, { cluster, from }: HistoryOwner, name: string): boolean {
  if (stored === cluster) return false;
  if (stored !== null && stored !== from) throw ofAnotherCluster({ name, stored, cluster });
  return true;
}

export function ofAnotherCluster({ name, stored, cluster }: Readonly<Record<'name' | 'stored' | 'cluster', string>>): Error {
  return historyError(
    'other-cluster',
    `the history ${name} is that of another cluster (${stored}; this one is ${cluster}, by the uid of its namespace kube-system)`,
    undefined,
    `Give each cluster a history of its own. If that cluster is gone, and this one is to go on with its history: --history-from-cluster=${stored}`,
  );
}
