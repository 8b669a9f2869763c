import { createHash } from 'node:crypto';
import type { Timing } from '../platform/timing.ts';

/** Long enough for the calls of one worker in a row, short enough that what has changed about a token soon counts. */
const KEPT_MS = 10_000;
const MOST_KEPT = 2_000;

interface Kept<Answer> {
  readonly at: number;
  readonly answer: Promise<Answer>;
}

/** What was found out about tokens, for ten seconds, by the digest of each. Who asks meanwhile shares the answer; one that rejects is not kept. */
export class RecentAnswers<Answer> {
  readonly #timing: Pick<Timing, 'now'>;
  readonly #isToKeep: (answer: Answer) => boolean;
  readonly #kept = new Map<string, Kept<Answer>>();

  constructor(timing: Pick<Timing, 'now'>, isToKeep: (answer: Answer) => boolean = () => true) {
    this.#timing = timing;
    this.#isToKeep = isToKeep;
  }

  get(token: string, ask: () => Promise<Answer>): Promise<Answer> {
    const now = this.#timing.now();
    const digest = createHash('sha256').update(token).digest('base64');
    const kept = this.#kept.get(digest);
    if (kept !== undefined && now - kept.at < KEPT_MS) return kept.answer;
    this.#kept.delete(digest);
    this.#makeRoom(now);
    const entry = { at: now, answer: ask() };
    this.#kept.set(digest, entry);
    const drop = (): void => {
      if (this.#kept.get(digest) === entry) this.#kept.delete(digest);
    };
    entry.answer.then((answer) => {
      if (!this.#isToKeep(answer)) drop();
    }, drop);
    return entry.answer;
  }

  /** Oldest first, as they were put in. */
  #makeRoom(now: number): void {
    for (const [digest, { at }] of this.#kept) {
      if (now - at < KEPT_MS && this.#kept.size < MOST_KEPT) return;
      this.#kept.delete(digest);
    }
  }
}
