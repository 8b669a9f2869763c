import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { onTestFinished } from 'vitest';
import { imageKeys } from '../../src/core/names.ts';
import { SYSTEM_TIMING, type Timing } from '../../src/platform/timing.ts';
import type { ClusterHistory } from '../../src/store/cluster-history.ts';
import type { HistoryReader } from '../../src/store/history.ts';
import type { HistoryError } from '../../src/store/history-error.ts';
import { openClusterHistory, type OpenClusterHistoryOptions } from '../../src/store/open-cluster-history.ts';
import type { HistoryPlace } from '../../src/store/open-place.ts';
import { MachineClock, openTestHistory, temporaryFolder } from './history-in-test.ts';

/** The history of a cluster, wherever it is kept. */
export interface TestClusterHistory {
  readonly history: ClusterHistory;
  readonly clock: MachineClock;
  readonly place: HistoryPlace;
  /** As messages call it. */
  readonly name: string;
  /** What was told of it, by code; null: it can be used again. */
  readonly faults: (HistoryError['code'] | null)[];
  /** A statement past the history, and its rows; a count may be a text. */
  readonly query: (sql: string) => Promise<Record<string, unknown>[]>;
  /** Rows that refer to none. */
  readonly brokenReferences: () => Promise<unknown[]>;
  /** As the command line sees it. */
  readonly shown: () => Promise<HistoryReader>;
}

/** `place`: of one that is open already; else a new one. */
export interface TestClusterHistoryOptions extends Partial<Pick<OpenClusterHistoryOptions, 'maxLogBytes' | 'owner'>> {
  readonly place?: HistoryPlace;
  readonly clock?: MachineClock;
  readonly timing?: Timing;
}

export type OpenTestClusterHistory = (options?: TestClusterHistoryOptions) => Promise<TestClusterHistory>;

interface TestClusterHistoryFile extends TestClusterHistory {
  readonly path: string;
}

/** In a file in a folder of its own, or at a path. */
export async function openTestClusterHistory(
  options: TestClusterHistoryOptions & { readonly path?: string } = {},
): Promise<TestClusterHistoryFile> {
  const { place } = options;
  const path = options.path ?? (place !== undefined && 'path' in place ? place.path : join(temporaryFolder(), 'history.db'));
  const opened = await openTestClusterHistoryAt({ ...options, place: { path } });
  const query = (sql: string): Promise<Record<string, unknown>[]> => {
    const database = new DatabaseSync(path);
    try {
      return Promise.resolve(database.prepare(sql).all());
    } finally {
      database.close();
    }
  };
  return {
    ...opened,
    path,
    name: path,
    query,
    brokenReferences: () => query('PRAGMA foreign_key_check'),
    shown: async () => (await openTestHistory({ path, clock: opened.clock, readOnly: true })).history,
  };
}

/** Closed with the test. */
export async function openTestClusterHistoryAt(
  options: TestClusterHistoryOptions & { readonly place: HistoryPlace },
): Promise<Pick<TestClusterHistory, 'history' | 'clock' | 'place' | 'faults'>> {
  const { clock = new MachineClock(), timing = SYSTEM_TIMING, place } = options;
  const faults: TestClusterHistory['faults'] = [];
  const history = await openClusterHistory({
    owner: { cluster: 'here', from: null },
    ...options,
    now: clock.now,
    bootClock: clock.bootClock,
    timing,
    version: '1.2.3',
    namesOf: imageKeys,
    onFault: (fault) => faults.push(fault?.code ?? null),
  });
  onTestFinished(() => history.close());
  return { history, clock, place, faults };
}
