import type { ImageAnalysis, ScanAttempt, ScannerInfo, ScanReport } from '../../src/api/scan-report.ts';
import type { Scanner, ScanTarget } from '../../src/engine/ports.ts';

/** A scanner whose answers the test gives, by image id; a function answers each attempt anew. */
export class FakeScanner implements Scanner {
  unsupportedBecause: string | null = null;
  databaseUpdatedAt: string | null = null;
  readonly attempts: string[] = [];
  /** The most scans that were under way at once. */
  mostAtOnce = 0;
  #underWay = 0;
  readonly #answer: (target: ScanTarget, signal: AbortSignal, attempt: number) => Promise<ScanAttempt>;

  constructor(answer: (target: ScanTarget, signal: AbortSignal, attempt: number) => Promise<ScanAttempt>) {
    this.#answer = answer;
  }

  probe(signal: AbortSignal): Promise<ScannerInfo> {
    signal.throwIfAborted();
    return Promise.resolve({ name: 'fake', version: '1', databaseUpdatedAt: this.databaseUpdatedAt, databaseMark: this.databaseUpdatedAt });
  }

  /** What stored analyses come to, by image id; null by default: the fake cannot use any. */
  judge: (analysis: ImageAnalysis) => ScanReport | null = () => null;
  readonly evaluated: string[] = [];
  isClosed = false;

  evaluate(analyses: readonly ImageAnalysis[], signal: AbortSignal): Promise<(ScanReport | null)[]> {
    signal.throwIfAborted();
    this.evaluated.push(...analyses.map(({ imageId }) => imageId));
    return Promise.resolve(analyses.map((analysis) => this.judge(analysis)));
  }

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }

  async scan(target: ScanTarget, signal: AbortSignal): Promise<ScanAttempt> {
    this.attempts.push(target.imageId);
    this.#underWay += 1;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.#underWay);
    try {
      return await this.#answer(target, signal, this.attempts.filter((id) => id === target.imageId).length);
    } finally {
      this.#underWay -= 1;
    }
  }
}

/** Never settles before the signal is aborted, then rejects with its reason. */
export function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
}
