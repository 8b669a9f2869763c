import type { ScanExchange } from '../../src/api/coordinator/scans-call.ts';
import type { ImageAnalysis, ReadAttempt } from '../../src/api/scan-report.ts';
import type { ImageReader, ScanTarget } from '../../src/engine/ports.ts';

/** What was read of an image, of so many bytes. */
export function analysisOf(imageId: string, bytes = 10): ImageAnalysis {
  const parts = [{ key: `part of ${imageId}`, data: Buffer.alloc(bytes) }];
  return { imageId, scannerName: 'trivy', scannerVersion: '0.74.0', parts, recipe: Buffer.from(imageId) };
}

/** Of a node with a scanner. */
export const NOTHING_ASKED: ScanExchange = {
  scannerVersion: '0.74.0',
  wanted: [],
  inHand: [],
  mayTake: 0,
  mayWaitMs: 0,
  analyses: [],
  failed: [],
};

/** A reader whose answers the test gives, by image id. */
export class FakeReader implements ImageReader {
  unsupportedBecause: string | null = null;
  readonly attempts: string[] = [];
  /** The most that were under way at once. */
  mostAtOnce = 0;
  isClosed = false;
  #underWay = 0;
  readonly #answer: (target: ScanTarget, signal: AbortSignal) => Promise<ReadAttempt>;

  constructor(
    answer: (target: ScanTarget, signal: AbortSignal) => Promise<ReadAttempt> = ({ imageId }) =>
      Promise.resolve({ kind: 'read', analysis: analysisOf(imageId) }),
  ) {
    this.#answer = answer;
  }

  probe(signal: AbortSignal): Promise<{ name: string; version: string }> {
    signal.throwIfAborted();
    return Promise.resolve({ name: 'trivy', version: '0.74.0' });
  }

  async read(target: ScanTarget, signal: AbortSignal): Promise<ReadAttempt> {
    this.attempts.push(target.imageId);
    this.#underWay += 1;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.#underWay);
    try {
      return await this.#answer(target, signal);
    } finally {
      this.#underWay -= 1;
    }
  }

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }
}
