import type { ScanReport } from '../api/scan-report.ts';
import type { ScanRecords } from '../engine/ports.ts';
import { errorMessage } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import type { Coordinator } from './ports.ts';

export interface CoordinatorRecords extends ScanRecords {
  /** Resolves when all that was found has been told, or cannot be. */
  tell(): Promise<void>;
}

/** So that a run that is killed loses no more than these. */
const TOLD_AT_ONCE = 20;

/**
 * The coordinator as the memory of scans: an image that a scan on any node has looked into is not read again before there is another database. A
 * run goes on without it: then images are scanned. The analyses are with Trivy's server.
 */
export function createCoordinatorRecords(
  coordinator: Pick<Coordinator, 'readReports' | 'keepReports'>,
  log: Log,
  signal: AbortSignal,
): CoordinatorRecords {
  let waiting: ScanReport[] = [];
  let telling: Promise<void> = Promise.resolve();
  const tell = (): Promise<void> => {
    const reports = waiting;
    waiting = [];
    if (reports.length > 0) telling = telling.then(() => tellOf(reports));
    return telling;
  };
  const tellOf = async (reports: readonly ScanReport[]): Promise<void> => {
    try {
      await coordinator.keepReports(reports, signal);
    } catch (error) {
      log.warn('what was found is not kept for other runs', { reports: reports.length, error: errorMessage(error) });
    }
  };
  const keepReports = (reports: readonly ScanReport[]): Promise<void> => {
    waiting.push(...reports);
    // The next scan does not wait for it.
    if (waiting.length >= TOLD_AT_ONCE) void tell();
    return Promise.resolve();
  };
  return {
    readReports: async (imageIds, scanner) => {
      try {
        return await coordinator.readReports(imageIds, scanner, signal);
      } catch (error) {
        signal.throwIfAborted();
        log.warn('what earlier scans have found is not known', { error: errorMessage(error) });
        return new Map();
      }
    },
    readAnalyses: () => Promise.resolve(new Map()),
    keep: (report) => keepReports([report]),
    keepReports,
    tell,
  };
}
