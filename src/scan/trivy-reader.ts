import type { ReadAttempt, ScannerInfo } from '../api/scan-report.ts';
import type { ElsewhereSource, TrivyOptions } from './trivy-options.ts';
import { unscanned } from './scan-by-name.ts';
import { createTrivyScanner, type ImageToScan } from './trivy-scanner.ts';

export interface TrivyReader {
  /** Why no image of this runtime can be read; null: they can. */
  readonly unsupportedBecause: string | null;
  /** Rejects with a `ScannerFault` when Trivy cannot work at all. */
  probe(signal: AbortSignal): Promise<Pick<ScannerInfo, 'name' | 'version'>>;
  /** Tries to read one image, once. Rejects with a `ScannerFault`, or with the signal's reason on abort. */
  read(image: ImageToScan, signal: AbortSignal): Promise<ReadAttempt>;
  close(): Promise<void>;
}

export type TrivyReaderOptions = Omit<TrivyOptions, 'database'> & Omit<ElsewhereSource, 'kind'>;

/** Trivy that reads images for somebody else to judge. What it says itself of an image is thrown away: it has no database. */
export function createTrivyReader({ javaIndex, ...options }: TrivyReaderOptions): TrivyReader {
  const database: ElsewhereSource = { kind: 'elsewhere', ...(javaIndex === undefined ? {} : { javaIndex }) };
  const scanner = createTrivyScanner({ ...options, database });
  return {
    unsupportedBecause: scanner.unsupportedBecause,
    probe: (signal) => scanner.probe(signal),
    read: async (image, signal) => {
      const attempt = await scanner.scan(image, signal);
      if (attempt.kind !== 'scanned') return attempt;
      const { analysis } = attempt;
      return analysis === null ? unscanned('scan-failed', 'a piece of what Trivy read of it went unseen') : { kind: 'read', analysis };
    },
    close: () => scanner.close(),
  };
}
