import type { ScannerInfo, ScanResult } from '../api/scan-report.ts';

/** What a run on a node owes to our scanner. */
export interface ScannerUse {
  /** null: another scanner, or none was needed. */
  readonly scanner: ScannerInfo | null;
  /** Images that it read for this run, and those that it had read before. */
  readonly scanned: number;
  readonly verdictsReused: number;
}

export const NO_SCANNER: ScannerUse = { scanner: null, scanned: 0, verdictsReused: 0 };

/** `results`: of the scanner in this pod. */
export function useOfScan(results: readonly ScanResult[]): ScannerUse {
  return { scanner: scannerOf(results), scanned: results.filter(({ kind }) => kind === 'scanned').length, verdictsReused: 0 };
}

/** `results`: known in the cluster. */
export function useOfKnown(results: readonly ScanResult[]): ScannerUse {
  return { scanner: scannerOf(results), scanned: 0, verdictsReused: results.length };
}

/** The reports of one run are of one Trivy; the last is by the newest database. */
function scannerOf(results: readonly ScanResult[]): ScannerInfo | null {
  return results.flatMap((result) => (result.kind === 'scanned' ? [result.report.scanner] : [])).at(-1) ?? null;
}
