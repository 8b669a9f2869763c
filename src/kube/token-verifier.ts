import type { AuthenticatedToken } from './create-token-review.ts';
import { RecentAnswers } from './recent-answers.ts';
import { TokenKeys, type TokenKeysOptions } from './token-keys.ts';
import { verifyToken, type TokenIssuer, type VerifiedToken } from './verify-token.ts';

export interface TokenVerifierOptions extends TokenKeysOptions {
  readonly audiences: readonly string[];
  /** Milliseconds since the epoch. */
  readonly wallNow: () => number;
}

/**
 * Tells whose token it is by its signature, without a request for each, and remembers it for some seconds. It only ever says yes: a token that it cannot tell is for the API server to review,
 * whose clock, keys and authenticators may know it.
 */
export class TokenVerifier {
  readonly #options: TokenVerifierOptions;
  readonly #keys: TokenKeys;
  /** By the keys that said so: others are asked anew. */
  readonly #verified = new WeakMap<TokenIssuer, RecentAnswers<VerifiedToken>>();

  constructor(options: TokenVerifierOptions) {
    this.#options = options;
    this.#keys = new TokenKeys(options);
  }

  /** null: it cannot be told here. */
  async verify(token: string, signal: AbortSignal): Promise<AuthenticatedToken | null> {
    const known = await this.#keys.current(signal);
    if (known === null) return null;
    const verified = await this.#verifyBy(known, token);
    if (verified.outcome !== 'unknown-key') return yesOf(verified);
    const newer = await this.#keys.newerThan(known, signal);
    return newer === null ? null : yesOf(await this.#verifyBy(newer, token));
  }

  #verifyBy(issuedBy: TokenIssuer, token: string): Promise<VerifiedToken> {
    const { audiences, wallNow, timing } = this.#options;
    const answers = this.#verified.get(issuedBy) ?? new RecentAnswers(timing, isYes);
    this.#verified.set(issuedBy, answers);
    return answers.get(token, () => verifyToken(token, { issuedBy, audiences, wallNow: wallNow() }));
  }
}

function isYes(verified: VerifiedToken): verified is AuthenticatedToken {
  return verified.outcome === 'authenticated';
}

function yesOf(verified: VerifiedToken): AuthenticatedToken | null {
  return isYes(verified) ? verified : null;
}
