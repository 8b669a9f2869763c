import { createHash } from 'node:crypto';
import type { Timing } from '../platform/timing.ts';
import { untilAborted } from '../platform/until-aborted.ts';
import { createTokenReview, type ReviewedToken } from './create-token-review.ts';
import type { KubeClient } from './kube-client.ts';

export interface TokenReviewerOptions {
  readonly client: Pick<KubeClient, 'review' | 'server'>;
  readonly audiences: readonly string[];
  readonly timing: Timing;
}

/** Long enough for the calls of one worker in a row, short enough that a deleted pod's token is soon refused. */
const KEPT_MS = 10_000;
const MOST_KEPT = 2_000;

interface Kept {
  readonly at: number;
  readonly answer: Promise<ReviewedToken>;
}

/** Reviews tokens, and remembers each answer for ten seconds, by the token's digest. A review that failed is not remembered. */
export class TokenReviewer {
  readonly #options: TokenReviewerOptions;
  readonly #kept = new Map<string, Kept>();

  constructor(options: TokenReviewerOptions) {
    this.#options = options;
  }

  review(token: string, signal: AbortSignal): Promise<ReviewedToken> {
    const now = this.#options.timing.now();
    const digest = createHash('sha256').update(token).digest('base64');
    const kept = this.#kept.get(digest);
    if (kept !== undefined && now - kept.at < KEPT_MS) return untilAborted(kept.answer, signal);
    this.#kept.delete(digest);
    this.#makeRoom(now);
    const { client, audiences } = this.#options;
    // Not by the signal of the first who asks: others may wait for the same answer. The call ends by its deadline.
    const answer = createTokenReview(client, { token, audiences }, { signal: new AbortController().signal });
    const entry = { at: now, answer };
    this.#kept.set(digest, entry);
    answer.catch(() => {
      if (this.#kept.get(digest) === entry) this.#kept.delete(digest);
    });
    return untilAborted(answer, signal);
  }

  /** Oldest first, as they were put in. */
  #makeRoom(now: number): void {
    for (const [digest, { at }] of this.#kept) {
      if (now - at < KEPT_MS && this.#kept.size < MOST_KEPT) return;
      this.#kept.delete(digest);
    }
  }
}
