import { createHash } from 'node:crypto';
import type { ImageAnalysis } from '../api/scan-report.ts';

/** No verdict while it alone was asked for: a server that ended of that, and is not there again yet, cannot be told from one that was ended. */
const MOST_FAILURES = 2;
/** Another attempt may go well then. */
const REMEMBERED_MS = 3_600_000;
const MOST_REMEMBERED = 1_000;

interface Doubt {
  readonly at: number;
  readonly failures: number;
}

/** Analyses that Trivy's server has given no verdict on while it was asked for them, by their content and the database: each may be why. */
export class DoubtedAnalyses {
  readonly #now: () => number;
  /** The one that was doubted longest ago first. */
  readonly #doubts = new Map<string, Doubt>();

  /** `now`: milliseconds on a clock that never goes back. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Together with others: nobody knows which of them it was. */
  doubt(analysis: ImageAnalysis, database: string | null): void {
    this.#set(keyOf(analysis, database), this.#find(analysis, database)?.failures ?? 0);
  }

  /** It alone was asked for. `isCertain`: other verdicts are given. */
  blame(analysis: ImageAnalysis, database: string | null, isCertain: boolean): void {
    const before = this.#find(analysis, database)?.failures ?? 0;
    this.#set(keyOf(analysis, database), isCertain ? MOST_FAILURES : before + 1);
  }

  clear(analysis: ImageAnalysis, database: string | null): void {
    this.#doubts.delete(keyOf(analysis, database));
  }

  isDoubted(analysis: ImageAnalysis, database: string | null): boolean {
    return this.#find(analysis, database) !== null;
  }

  /** The server is not asked for it any more. */
  isGivenUp(analysis: ImageAnalysis, database: string | null): boolean {
    return (this.#find(analysis, database)?.failures ?? 0) >= MOST_FAILURES;
  }

  #find(analysis: ImageAnalysis, database: string | null): Doubt | null {
    const key = keyOf(analysis, database);
    const found = this.#doubts.get(key);
    if (found === undefined || this.#now() - found.at <= REMEMBERED_MS) return found ?? null;
    this.#doubts.delete(key);
    return null;
  }

  #set(key: string, failures: number): void {
    this.#doubts.delete(key);
    this.#doubts.set(key, { at: this.#now(), failures });
    for (const oldest of this.#doubts.keys()) {
      if (this.#doubts.size <= MOST_REMEMBERED) break;
      this.#doubts.delete(oldest);
    }
  }
}

/** The recipe names the parts by digests of their content. */
function keyOf({ recipe }: ImageAnalysis, database: string | null): string {
  return createHash('sha256')
    .update(recipe)
    .update(`\n${database ?? ''}`)
    .digest('hex');
}
