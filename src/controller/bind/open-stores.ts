import packageJson from '../../../package.json' with { type: 'json' };
import { errorMessage } from '../../platform/errors.ts';
import type { Log } from '../../platform/log.ts';
import type { Timing } from '../../platform/timing.ts';
import type { ReadReported, RecordRun } from '../ports.ts';
import type { HistoryOwner } from '../../store/history-owner.ts';
import type { HistoryPlace } from '../../store/open-place.ts';
import { bindClusterHistory } from './bind-cluster-history.ts';
import { bindVerdicts } from './bind-verdicts.ts';
import type { WorkerStores } from './serve-coordinator.ts';
import { removedOf } from './tell-results.ts';

export interface StoresOptions {
  readonly history: HistoryPlace;
  readonly owner: HistoryOwner;
  /** The URL of Trivy's server. */
  readonly trivyServer: string;
  readonly timing: Timing;
  readonly wallNow: () => number;
  readonly log: Log;
}

export interface OpenStores extends WorkerStores {
  readonly recordRun: RecordRun;
  readonly readReported: ReadReported;
  /** Keeps the history from growing without end, until the signal aborts. */
  keepSmall(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

const PRUNE_MS = 24 * 3_600_000;
/** Of what is older, nothing is kept; of what is younger, not more than the volume of a manager usually holds. */
const RETENTION = { maxAgeMs: 400 * 24 * 3_600_000, maxBytes: 2 * 1024 ** 3 };

/** @throws HistoryError when the file or database is none of ours, another cluster's, or damaged */
export async function openStores(options: StoresOptions): Promise<OpenStores> {
  const { history: place, owner, trivyServer, timing, wallNow, log } = options;
  const { version } = packageJson;
  const history = await bindClusterHistory({ place, owner, version, timing, wallNow, log });
  const verdicts = bindVerdicts({ trivyServer, scans: history.scans, timing, log });
  return {
    images: history.images,
    verdicts,
    results: history.results,
    logs: history.logs,
    recordRun: async ({ uid, name, run, startedAt, endedAt }, signal) => {
      await history.recordJobBegan({ uid, name, mode: run, startedAt }, signal);
      if (endedAt !== null) await history.recordJobEnded(uid, endedAt, signal);
    },
    readReported: async (jobUid, signal) => {
      const completed = await history.readCompleted(jobUid, signal);
      return new Map([...completed].map(([node, summary]) => [node, removedOf(summary)]));
    },
    keepSmall: async (signal) => {
      while (!signal.aborted) {
        await history.prune(RETENTION, signal).catch((error: unknown) => {
          if (!signal.aborted) log.warn('the history was not pruned', { error: errorMessage(error) });
        });
        await timing.sleep(PRUNE_MS, signal).catch(() => undefined);
      }
    },
    close: async () => {
      verdicts.close();
      await history.close();
    },
  };
}
