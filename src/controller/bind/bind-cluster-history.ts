import type { CoordinatorPorts } from '../../coordinator/ports.ts';
import { imageKeys } from '../../core/names.ts';
import { readBootClock } from '../../platform/boot-clock.ts';
import type { Log } from '../../platform/log.ts';
import type { Timing } from '../../platform/timing.ts';
import type { ClusterHistory } from '../../store/cluster-history.ts';
import { openClusterHistory } from '../../store/open-cluster-history.ts';
import type { HistoryOwner } from '../../store/history-owner.ts';
import type { HistoryPlace } from '../../store/open-place.ts';

export interface ClusterHistoryOptions {
  readonly place: HistoryPlace;
  readonly owner: HistoryOwner;
  /** Of Image Cleaner. */
  readonly version: string;
  readonly timing: Timing;
  readonly wallNow: () => number;
  readonly log: Log;
}

/** The history as the coordinator needs it, and what else the manager has of it. */
export type BoundClusterHistory = ClusterHistory & Pick<CoordinatorPorts, 'results' | 'logs'>;

/** @throws HistoryError when the file or database is none of ours, another cluster's, or damaged: what to do is in its hint */
export async function bindClusterHistory(options: ClusterHistoryOptions): Promise<BoundClusterHistory> {
  const { place, owner, version, timing, wallNow, log } = options;
  const history = 'path' in place ? place.path : place.url.name;
  return openClusterHistory({
    place,
    owner,
    now: wallNow,
    bootClock: readBootClock,
    timing,
    version,
    namesOf: imageKeys,
    onFault: (fault) => {
      if (fault === null) log.info('the history can be used again', { history });
      else log.warn('the history cannot be used now: workers are asked to come again', { error: fault.message, hint: fault.hint });
    },
  });
}
