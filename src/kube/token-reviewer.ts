import type { Timing } from '../platform/timing.ts';
import { untilAborted } from '../platform/until-aborted.ts';
import { createTokenReview, type ReviewedToken } from './create-token-review.ts';
import type { KubeClient } from './kube-client.ts';
import { RecentAnswers } from './recent-answers.ts';

export interface TokenReviewerOptions {
  readonly client: Pick<KubeClient, 'review' | 'server'>;
  readonly audiences: readonly string[];
  readonly timing: Timing;
}

/** Reviews tokens, and remembers each answer for some seconds. A review that failed is not remembered. */
export class TokenReviewer {
  readonly #options: TokenReviewerOptions;
  readonly #answers: RecentAnswers<ReviewedToken>;

  constructor(options: TokenReviewerOptions) {
    this.#options = options;
    this.#answers = new RecentAnswers(options.timing);
  }

  review(token: string, signal: AbortSignal): Promise<ReviewedToken> {
    const { client, audiences } = this.#options;
    // Not by the signal of the first who asks: others may wait for the same answer. The call ends by its deadline.
    const ask = (): Promise<ReviewedToken> => createTokenReview(client, { token, audiences }, { signal: new AbortController().signal });
    return untilAborted(this.#answers.get(token, ask), signal);
  }
}
