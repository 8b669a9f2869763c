import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { imageKeys } from '../../src/core/names.ts';
import { SYSTEM_TIMING, type Timing } from '../../src/platform/timing.ts';
import type { ClusterHistory } from '../../src/store/cluster-history.ts';
import type { HistoryError } from '../../src/store/history-error.ts';
import { openClusterHistory, type OpenClusterHistoryOptions } from '../../src/store/open-cluster-history.ts';
import { MachineClock, temporaryFolder } from './history-in-test.ts';

export interface TestClusterHistory {
  readonly history: ClusterHistory;
  readonly clock: MachineClock;
  readonly path: string;
  /** What was told of the file, by code; null: it can be used again. */
  readonly faults: (HistoryError['code'] | null)[];
}

export interface TestClusterHistoryOptions extends Partial<Pick<OpenClusterHistoryOptions, 'maxLogBytes'>> {
  readonly path?: string;
  readonly clock?: MachineClock;
  readonly timing?: Timing;
}

/** The history of a cluster in a folder of its own, or at a path. */
export async function openTestClusterHistory(options: TestClusterHistoryOptions = {}): Promise<TestClusterHistory> {
  const { path = join(temporaryFolder(), 'history.db'), clock = new MachineClock(), timing = SYSTEM_TIMING } = options;
  const faults: TestClusterHistory['faults'] = [];
  const history = await openClusterHistory({
    ...options,
    path,
    now: clock.now,
    bootClock: clock.bootClock,
    timing,
    version: '1.2.3',
    namesOf: imageKeys,
    onFault: (fault) => faults.push(fault?.code ?? null),
  });
  onTestFinished(() => history.close());
  return { history, clock, path, faults };
}
