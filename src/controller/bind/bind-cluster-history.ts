import type { CoordinatorPorts } from '../../coordinator/ports.ts';
import { imageKeys } from '../../core/names.ts';
import { readBootClock } from '../../platform/boot-clock.ts';
import type { Log } from '../../platform/log.ts';
import type { Timing } from '../../platform/timing.ts';
import type { ClusterHistory } from '../../store/cluster-history.ts';
import { openClusterHistory } from '../../store/open-cluster-history.ts';

export interface ClusterHistoryOptions {
  readonly path: string;
  /** Of Image Cleaner. */
  readonly version: string;
  readonly timing: Timing;
  readonly wallNow: () => number;
  readonly log: Log;
}

/** The history as the coordinator needs it, and what else the manager has of it. */
export type BoundClusterHistory = ClusterHistory & Pick<CoordinatorPorts, 'results' | 'logs'>;

/** @throws HistoryError when the file is none of ours, or damaged: what to do is in its hint */
export async function bindClusterHistory({ path, version, timing, wallNow, log }: ClusterHistoryOptions): Promise<BoundClusterHistory> {
  return openClusterHistory({
    path,
    now: wallNow,
    bootClock: readBootClock,
    timing,
    version,
    namesOf: imageKeys,
    onFault: (fault) => {
      if (fault === null) log.info('the history can be used again', { path });
      else log.warn('the history cannot be used now: workers are asked to come again', { error: fault.message, hint: fault.hint });
    },
  });
}
