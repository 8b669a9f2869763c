import { createLocalJWKSet } from 'jose';
import * as z from 'zod';
import type { Timing } from '../platform/timing.ts';
import { untilAborted } from '../platform/until-aborted.ts';
import { badAnswer } from './classify-answer.ts';
import type { KubeClient } from './kube-client.ts';
import { DISCOVERY_PATH, KEYS_PATH } from './resource.ts';
import type { TokenIssuer } from './verify-token.ts';

export interface TokenKeysOptions {
  readonly client: Pick<KubeClient, 'getPath' | 'server'>;
  readonly timing: Pick<Timing, 'now'>;
  /** Why the keys cannot be read; null: they can again. Told when that changes. */
  readonly onFault: (fault: unknown) => void;
}

/** The API server says an hour; a key that it trusts no longer is to be of no use sooner. */
const KEPT_MS = 10 * 60_000;
/** After keys that could not be read, or did not have the one that was asked for: who sends made-up key ids costs the API server no more. */
const PAUSE_MS = 60_000;

const discoverySchema = z.object({ issuer: z.string().min(1) });
const keysSchema = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).min(1) });

interface Read {
  readonly at: number;
  /** null: they could not be read. */
  readonly issuer: Promise<TokenIssuer | null>;
}

/** The keys that the API server signs tokens of service accounts with, read when they are asked for, and kept for some minutes. */
export class TokenKeys {
  readonly #options: TokenKeysOptions;
  #read: Read | null = null;
  #hasFault = false;

  constructor(options: TokenKeysOptions) {
    this.#options = options;
  }

  /** null: they cannot be read now. */
  async current(signal: AbortSignal): Promise<TokenIssuer | null> {
    const read = this.#read;
    if (read === null || this.#age(read) >= KEPT_MS) return this.#renew(signal);
    const issuer = await untilAborted(read.issuer, signal);
    return issuer === null && this.#read === read && this.#age(read) >= PAUSE_MS ? this.#renew(signal) : issuer;
  }

  /** Newer ones than these, which lack a key; null: there are none yet. */
  async newerThan(known: TokenIssuer, signal: AbortSignal): Promise<TokenIssuer | null> {
    const read = this.#read;
    if (read === null) return this.#renew(signal);
    const issuer = await untilAborted(read.issuer, signal);
    if (issuer !== known) return issuer;
    return this.#read === read && this.#age(read) < PAUSE_MS ? null : this.#renew(signal);
  }

  #age({ at }: Read): number {
    return this.#options.timing.now() - at;
  }

  /** Who asks meanwhile shares the answer, so it is not by the signal of the first: the calls end by their deadline. */
  #renew(signal: AbortSignal): Promise<TokenIssuer | null> {
    const read = { at: this.#options.timing.now(), issuer: this.#fetch() };
    this.#read = read;
    return untilAborted(read.issuer, signal);
  }

  async #fetch(): Promise<TokenIssuer | null> {
    const { onFault } = this.#options;
    try {
      const [{ issuer }, keys] = await Promise.all([this.#get(DISCOVERY_PATH, discoverySchema), this.#get(KEYS_PATH, keysSchema)]);
      const read = { issuer, keys: createLocalJWKSet(keys) };
      if (this.#hasFault) onFault(null);
      this.#hasFault = false;
      return read;
    } catch (error) {
      if (!this.#hasFault) onFault(error);
      this.#hasFault = true;
      return null;
    }
  }

  async #get<Schema extends z.ZodType>(path: string, schema: Schema): Promise<z.output<Schema>> {
    const { client } = this.#options;
    const answer = schema.safeParse(
      await client.getPath(path, { signal: new AbortController().signal, retryBudgetMs: 0, deadlineMs: DEADLINE_MS }),
    );
    if (answer.success) return answer.data;
    throw badAnswer({ intent: { verb: 'get', path }, server: client.server }, 'no keys of tokens', answer.error);
  }
}

/** Else the token is reviewed. */
const DEADLINE_MS = 5_000;
