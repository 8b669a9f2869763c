import type { ScannerInfo, ScanReport, ScanResult } from '../api/scan-report.ts';

/** What a run on a node owes to our scanner. */
export interface ScannerUse {
  /** null: another scanner, or none was needed. */
  readonly scanner: ScannerInfo | null;
  /** Images that were read for this run, and those whose reports were on record. */
  readonly scanned: number;
  readonly verdictsReused: number;
}

export const NO_SCANNER: ScannerUse = { scanner: null, scanned: 0, verdictsReused: 0 };

/** Of the scanner in this pod. `reused`: how many of the results were on record. */
export function useOfScan({ scanResults, reused }: { readonly scanResults: readonly ScanResult[]; readonly reused: number }): ScannerUse {
  const reports = scanResults.flatMap((result) => (result.kind === 'scanned' ? [result.report] : []));
  return { scanner: scannerOf(reports), scanned: Math.max(0, reports.length - reused), verdictsReused: reused };
}

/** Of reports on record alone. */
export function useOfReports(reports: readonly ScanReport[]): ScannerUse {
  return { scanner: scannerOf(reports), scanned: 0, verdictsReused: reports.length };
}

/** The reports of one run are of one Trivy; the last is by the newest database. */
function scannerOf(reports: readonly ScanReport[]): ScannerInfo | null {
  return reports.at(-1)?.scanner ?? null;
}
