import type { ReportJson } from '../../coordinator/ports.ts';

/** Less than a report holds in the history. */
const MOST_AGE_MS = 3_600_000;

interface Kept {
  readonly report: ReportJson;
  readonly at: number;
}

/** The reports that were asked for last, by just one scanner and database: in a run most nodes ask for the same. */
export class ReportCache {
  readonly #mostLength: number;
  readonly #now: () => number;
  /** By image id, the one that was asked for longest ago first. */
  readonly #kept = new Map<string, Kept>();
  #by = '';
  #length = 0;

  /** `mostLength`: of all reports, in characters. `now`: milliseconds on a clock that never goes back. */
  constructor(mostLength: number, now: () => number) {
    this.#mostLength = mostLength;
    this.#now = now;
  }

  /** Forgets what is by another scanner or database. */
  use(by: string): void {
    if (by === this.#by) return;
    this.#by = by;
    this.#kept.clear();
    this.#length = 0;
  }

  get(imageId: string): ReportJson | null {
    const kept = this.#kept.get(imageId);
    if (kept === undefined) return null;
    this.#drop(imageId, kept);
    if (this.#now() - kept.at > MOST_AGE_MS) return null;
    this.#keep(imageId, kept);
    return kept.report;
  }

  set(imageId: string, report: ReportJson): void {
    const before = this.#kept.get(imageId);
    if (before !== undefined) this.#drop(imageId, before);
    this.#keep(imageId, { report, at: this.#now() });
    for (const [oldest, kept] of this.#kept) {
      if (this.#length <= this.#mostLength) break;
      this.#drop(oldest, kept);
    }
  }

  #keep(imageId: string, kept: Kept): void {
    this.#kept.set(imageId, kept);
    this.#length += kept.report.length;
  }

  #drop(imageId: string, { report }: Kept): void {
    this.#kept.delete(imageId);
    this.#length -= report.length;
  }
}
