import { resolve } from 'node:path';
import type { BootReading } from '../platform/boot-clock.ts';
import { errorMessage } from '../platform/errors.ts';
import type { History, ImageHistory, RuntimeMemory, Sightings } from './history.ts';
import { historyError, HistoryError } from './history-error.ts';
import { SqliteDatabase } from './sqlite-database.ts';
import { HistoryTime } from './history-time.ts';
import { readImageHistories, recordSightings } from './image-sightings.ts';
import { openForReading } from './open-for-reading.ts';
import { openSqliteFile } from './open-sqlite-file.ts';
import { prune } from './prune.ts';
import { createHistoryReader } from './history-reader.ts';
import { readUnaudited } from './read-runs.ts';
import { takeRunLock, type HeldRunLock } from './run-lock.ts';
import { writeRun } from './run-writer.ts';
import { createScanRecords } from './scan-records.ts';
import { listUnfinishedRuns, settleKilledRun } from './settle-run.ts';

export interface OpenHistoryOptions {
  readonly path: string;
  /** The wall clock. */
  readonly now: () => number;
  readonly bootClock: () => BootReading;
  /** What does not end a run but should be told, such as want of space for the history. */
  readonly onWarning: (message: string) => void;
  /**
   * For commands that only read: a missing file is an empty history, and nothing is changed. `copyPlaces`: folders that may take a copy of the
   * history while it is read, in their order.
   */
  readonly reading?: { readonly copyPlaces: readonly string[] };
}

/**
 * Opens the history, makes it where there is none (folder 0700, file 0600), and brings it up to date.
 * @throws HistoryError
 */
export async function openHistory(options: OpenHistoryOptions): Promise<History> {
  const { reading } = options;
  // Absolute, so that SQLite takes neither `:memory:` nor `file:…` for anything but the name of a file.
  const path = resolve(options.path);
  const file = await Promise.resolve(reading === undefined ? { database: openSqliteFile(path) } : openForReading(path, reading.copyPlaces));
  return createHistory(options, new SqliteDatabase(path, file));
}

function createHistory({ now, bootClock, onWarning, reading }: OpenHistoryOptions, database: SqliteDatabase): History {
  const readOnly = reading !== undefined;
  const time = new HistoryTime(now, bootClock);
  const ifSpace = workIfSpace(onWarning);
  let lock: HeldRunLock | null = null;
  let lastRunId = 0;
  const ownRuns = new Set<number>();
  const requireLock = (): void => {
    if (lock === null) throw new Error('the lock of runs is not held');
    lock.requireHeld();
  };
  const memoryOf = (runtimeEndpoint: string): RuntimeMemory => {
    const options = { database, time, runtimeEndpoint };
    const record = (seen: Sightings): Promise<void> => ifSpace(() => recordSightings(options, seen));
    return {
      recordSightings: record,
      readImageHistories: (imageIds) => readImageHistories(options, imageIds),
      observe: async (seen) => {
        await record(seen);
        const known = await readImageHistories(
          options,
          seen.images.map(({ id }) => id),
        );
        return withThisTime(known, seen, time.wallAt());
      },
    };
  };

  return {
    lockRuns: async (holder) => {
      if (readOnly) throw historyError('read-only', `the history ${database.path} was opened for reading`);
      const taken = await takeRunLock(database, holder);
      lock = taken;
      return {
        release: () => {
          taken.release();
          if (lock === taken) lock = null;
        },
      };
    },
    unfinishedRuns: async () => {
      requireLock();
      return (await listUnfinishedRuns(database)).filter(({ run }) => !ownRuns.has(run.id));
    },
    settleKilledRun: async (runId, present, at) => {
      requireLock();
      return settleKilledRun(database, runId, present, at);
    },
    unauditedRuns: () => readUnaudited(database),
    markAudited: async (runId) => {
      requireLock();
      await database.write('process', async (changes) => {
        await changes.updateTable('decision').set({ audit_due: 0 }).where('run_id', '=', runId).where('audit_due', '=', 1).execute();
      });
    },
    beginRun: async (start) => {
      requireLock();
      const last = await database.queries
        .selectFrom('run')
        .select(({ fn }) => fn.max('id').as('id'))
        .executeTakeFirst();
      // A run that there was no space for is counted too.
      lastRunId = Math.max(lastRunId, last?.id ?? 0) + 1;
      ownRuns.add(lastRunId);
      const writer = await writeRun({ database, time, onWarning }, lastRunId, start);
      return {
        ...writer,
        removalBegan: async (decision) => {
          requireLock();
          await writer.removalBegan(decision);
        },
        end: async (end) => {
          await writer.end(end);
          database.requireInPlace();
        },
      };
    },
    ...createHistoryReader(database, time),
    memoryOf,
    scanRecords: createScanRecords({ database, time, ifSpace, isReadOnly: readOnly }),
    prune: (retention) => prune(database, time, retention),
    close: async () => {
      lock?.release();
      lock = null;
      await database.close();
    },
  };
}

/** Does the work, unless there is no space, or another process writes for too long: that is told once, and no fault. */
function workIfSpace(onWarning: (message: string) => void): (work: () => Promise<void>) => Promise<void> {
  let hasWarned = false;
  return async (work) => {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof HistoryError) || !['full', 'busy'].includes(error.code)) throw error;
      if (!hasWarned) onWarning(`${errorMessage(error)}; it is not remembered`);
      hasWarned = true;
    }
  };
}

/** What is seen now, whether or not there was space to write it. */
function withThisTime(known: Map<string, ImageHistory>, { images, inUse }: Sightings, wallAt: number): Map<string, ImageHistory> {
  for (const { id } of images) {
    const history = known.get(id) ?? { firstSeenAt: wallAt, lastInUseAt: null };
    known.set(id, inUse.has(id) ? { ...history, lastInUseAt: wallAt } : history);
  }
  return known;
}
