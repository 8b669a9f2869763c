import { MOST_IMAGES_ASKED } from '../api/coordinator/scans-call.ts';
import type { ScanReport } from '../api/scan-report.ts';
import { imageIdKey } from '../core/reference.ts';
import type { Coordinator } from './ports.ts';

/** What is known of these images already, by the ids as they were given, by the database that the cluster has now. Reads none. */
export async function readKnownReports(
  coordinator: Pick<Coordinator, 'exchangeScans'>,
  imageIds: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, ScanReport>> {
  const idOf = new Map(imageIds.map((id) => [`sha256:${imageIdKey(id)}`, id]));
  const reports = new Map<string, ScanReport>();
  for (let left = [...idOf.keys()]; left.length > 0;) {
    const wanted = left.slice(0, MOST_IMAGES_ASKED);
    const asked = { scannerVersion: null, wanted, inHand: [], mayTake: 0, mayWaitMs: 0, analyses: [], failed: [] };
    const { results, rest } = await coordinator.exchangeScans(asked, signal);
    for (const { imageId, result } of results) {
      const id = idOf.get(imageId);
      if (id !== undefined && result.kind === 'scanned') reports.set(id, result.report);
    }
    // One that answers for nothing would be asked for ever.
    left = [...(results.length === 0 ? [] : rest), ...left.slice(wanted.length)];
  }
  return reports;
}
