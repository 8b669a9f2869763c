import { finished } from 'node:stream/promises';
import { type Dispatcher, request, WebSocket } from 'undici';
import { backoffMs, SYSTEM_TIMING, type Timing } from '../platform/timing.ts';
import { untilAborted } from '../platform/until-aborted.ts';
import { Agents } from './agents.ts';
import { badAnswer, classifyAnswer } from './classify-answer.ts';
import { classifyFailure } from './classify-failure.ts';
import type { AccessSource, ClusterAccess } from './cluster-access.ts';
import type { KubeError } from './kube-error.ts';
import { type Intent, pathOf } from './resource.ts';
import { withDeadline } from './with-deadline.ts';

export interface CallOptions {
  readonly signal: AbortSignal;
  /** Of each attempt, milliseconds. */
  readonly deadlineMs?: number;
  /** How long a call is repeated after its first failure, milliseconds; 0: not at all. */
  readonly retryBudgetMs?: number;
}

export interface ApiRequest {
  readonly intent: Intent;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** A list is given as often as it has items. */
  readonly query?: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body?: unknown;
  readonly contentType?: string;
  /** JSON, if not given. */
  readonly accept?: string;
  /** Whether a repetition does no harm when it is not known what became of the first attempt. */
  readonly idempotent: boolean;
}

export interface ConnectionOptions {
  readonly access: AccessSource;
  /** Shown in the API server's audit log: `image-cleaner/0.1.0`. */
  readonly userAgent: string;
  readonly timing?: Timing;
  /** Milliseconds since the epoch. */
  readonly wallNow: () => number;
}

/** The API server's own limit is 60 s, but a request that waits for half of that is better made again, perhaps on another connection. */
const DEADLINE_MS = 30_000;
/** An API server, or its load balancer, takes some seconds to restart. */
const RETRY_BUDGET_MS = 30_000;
const BACKOFF = { firstMs: 250, longestMs: 8_000 };

type Response = Dispatcher.ResponseData;

/** The one way to the API server: deadlines, repetitions, fresh credentials, errors of this room. */
export class ApiConnection {
  readonly timing: Timing;
  readonly #options: ConnectionOptions;
  readonly #agents = new Agents();

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.timing = options.timing ?? SYSTEM_TIMING;
  }

  get server(): string {
    return this.#options.access.server;
  }

  /** The answer's JSON. Throws a KubeError, or the signal's reason. */
  async json(ask: ApiRequest, call: CallOptions): Promise<unknown> {
    return this.#repeat(ask, call, () =>
      withDeadline({ ms: call.deadlineMs ?? DEADLINE_MS, timing: this.timing, signal: call.signal }, async (signal) => {
        const { body } = await this.#send(ask, signal, 0);
        const text = await body.text();
        try {
          return JSON.parse(text) as unknown;
        } catch (error) {
          throw badAnswer({ intent: ask.intent, server: this.server }, 'no JSON', error);
        }
      }),
    );
  }

  /** Of an answer that is of no use, as that to a deletion of thousands of objects, which names them all. */
  async discard(ask: ApiRequest, call: CallOptions): Promise<void> {
    await this.#repeat(ask, call, () =>
      withDeadline({ ms: call.deadlineMs ?? DEADLINE_MS, timing: this.timing, signal: call.signal }, async (signal) => {
        const { body } = await this.#send(ask, signal, 0);
        // Read to its end: until then it is not known that all of it was done, and the connection is not free.
        await finished(body.resume());
      }),
    );
  }

  /** An answer that goes on, for as long as something comes at least every `inactivityMs`. Opened once, without repetition. */
  async stream(ask: ApiRequest, inactivityMs: number, signal: AbortSignal): Promise<Response['body']> {
    const once = { signal, retryBudgetMs: 0 };
    const { body } = await this.#repeat(ask, once, () => this.#send(ask, signal, inactivityMs));
    return body;
  }

  /** Begins to connect; what becomes of that, the socket tells. Its certificate and credentials are those of every request. */
  async webSocket({ intent, query }: Pick<ApiRequest, 'intent' | 'query'>, protocols: string[], signal: AbortSignal): Promise<WebSocket> {
    const access = await this.#access(signal);
    return new WebSocket(access.server.replace(/^http/, 'ws') + pathOf(intent) + formatQuery(query), {
      protocols,
      dispatcher: this.#agents.dispatcherFor(access),
      headers: { ...access.headers, 'user-agent': this.#options.userAgent },
    });
  }

  /** Of what a body threw while it was read. */
  failure(error: unknown, intent: Intent): KubeError {
    return classifyFailure(error, { intent, server: this.server });
  }

  wallNow(): number {
    return this.#options.wallNow();
  }

  close(): Promise<void> {
    return this.#agents.close();
  }

  async #repeat<T>(ask: ApiRequest, { signal, retryBudgetMs = RETRY_BUDGET_MS }: CallOptions, attempt: () => Promise<T>): Promise<T> {
    let firstFailureAt: number | undefined;
    let renewed = false;
    for (let failures = 0; ; failures++) {
      signal.throwIfAborted();
      try {
        return await attempt();
      } catch (error) {
        signal.throwIfAborted();
        const failure = this.failure(error, ask.intent);
        if (failure.code === 'unauthorized' && !renewed) {
          renewed = true;
          continue;
        }
        firstFailureAt ??= this.timing.now();
        const pauseMs = Math.max(backoffMs(BACKOFF, failures, this.timing.random()), failure.retryAfterMs ?? 0);
        const spentMs = this.timing.now() - firstFailureAt;
        if (!mayRepeat(failure, ask) || spentMs + pauseMs > retryBudgetMs) throw failure;
        await this.timing.sleep(pauseMs, signal);
      }
    }
  }

  /** One attempt; `bodyTimeoutMs` 0: only the deadline counts. Leaves no body unread when it throws. */
  async #send(ask: ApiRequest, signal: AbortSignal, bodyTimeoutMs: number): Promise<Response> {
    const access = await this.#access(signal);
    const answer = await request(access.server + pathOf(ask.intent) + formatQuery(ask.query), {
      method: ask.method,
      dispatcher: this.#agents.dispatcherFor(access),
      headers: this.#headers(ask, access),
      body: ask.body === undefined ? null : JSON.stringify(ask.body),
      signal,
      headersTimeout: DEADLINE_MS,
      bodyTimeout: bodyTimeoutMs,
    });
    if (answer.statusCode >= 200 && answer.statusCode < 300) return answer;
    if (answer.statusCode === 401) this.#options.access.renew(access);
    const retryAfter = [answer.headers['retry-after']].flat()[0];
    const failed = { statusCode: answer.statusCode, retryAfter, body: await answer.body.text() };
    throw classifyAnswer(failed, { intent: ask.intent, server: this.server, wallNow: this.wallNow() });
  }

  /** A plugin may hang, too, and a stream has no deadline of its own. */
  #access(signal: AbortSignal): Promise<ClusterAccess> {
    return withDeadline({ ms: DEADLINE_MS, timing: this.timing, signal }, (within) => untilAborted(this.#options.access.current(), within));
  }

  #headers({ body, contentType, accept = 'application/json' }: ApiRequest, access: ClusterAccess): Record<string, string> {
    const headers = { ...access.headers, accept, 'user-agent': this.#options.userAgent };
    return body === undefined ? headers : { ...headers, 'content-type': contentType ?? 'application/json' };
  }
}

function mayRepeat(failure: KubeError, { idempotent }: ApiRequest): boolean {
  return failure.action === 'retry' && (idempotent || failure.notExecuted);
}

function formatQuery(query: ApiRequest['query'] = {}): string {
  const given = Object.entries(query).flatMap(([name, value]) => [value ?? []].flat().map((one): [string, string] => [name, one]));
  return given.length === 0 ? '' : `?${new URLSearchParams(given).toString()}`;
}
