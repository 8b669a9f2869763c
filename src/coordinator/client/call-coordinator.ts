import type * as z from 'zod';
import type { CallLimits } from '../../api/coordinator/coordinator-api.ts';
import { backoffMs, type Timing } from '../../platform/timing.ts';
import { classifyFailure, classifyRefusal, type HttpAnswer } from './classify-answer.ts';
import type { CoordinatorConnection } from './coordinator-connection.ts';
import { CoordinatorError } from './coordinator-error.ts';

export interface CallOptions {
  readonly connection: CoordinatorConnection;
  readonly timing: Timing;
  /** Milliseconds since the epoch. */
  readonly wallNow: () => number;
  /** How long a call is repeated after its first failure; null: until its signal aborts. */
  readonly giveUpAfterMs: number | null;
  /** For the log: a failure that is followed by another attempt, and after what pause. */
  readonly onRetry: (failure: CoordinatorError, pauseMs: number) => void;
}

export interface CoordinatorRequest<Schema extends z.ZodType> {
  readonly url: URL;
  readonly limits: CallLimits;
  /** null: none. */
  readonly body: Buffer | null;
  /** Of the answer. */
  readonly schema: Schema;
}

/** A manager that follows another is there within half a minute; 500 workers that ask every five seconds are no burden to it. */
const BACKOFF = { firstMs: 200, longestMs: 5_000 };
/** The server's own limit comes first, as an answer. */
const ANSWER_SLACK_MS = 10_000;

/**
 * A call, repeated until the coordinator has answered it: each may come twice. Throws a CoordinatorError once it is refused, or has failed for too
 * long; the signal's reason when that aborts.
 */
export async function callCoordinator<Schema extends z.ZodType>(
  options: CallOptions,
  request: CoordinatorRequest<Schema>,
  signal: AbortSignal,
): Promise<z.output<Schema>> {
  const { connection, timing, giveUpAfterMs, onRetry } = options;
  const call = `${request.limits.method} ${request.url.href}`;
  let firstFailureAt: number | undefined;
  for (let failures = 0; ; failures++) {
    signal.throwIfAborted();
    const token = await connection.readToken();
    try {
      return await attempt(options, request, { token, call, signal });
    } catch (error) {
      signal.throwIfAborted();
      const failure = classifyFailure(error, call);
      const isStale = failure.problem === 'token-rejected' && (await connection.readToken()) !== token;
      if (failure.action !== 'retry' && !isStale) throw failure;
      firstFailureAt ??= timing.now();
      const pauseMs = Math.max(failure.retryAfterMs, 0) + backoffMs(BACKOFF, failures, timing.random());
      if (giveUpAfterMs !== null && timing.now() - firstFailureAt + pauseMs > giveUpAfterMs) throw failure;
      onRetry(failure, pauseMs);
      await timing.sleep(pauseMs, signal);
    }
  }
}

interface AttemptOptions {
  readonly token: string;
  readonly call: string;
  readonly signal: AbortSignal;
}

async function attempt<Schema extends z.ZodType>(
  { connection, wallNow }: CallOptions,
  { url, limits, body, schema }: CoordinatorRequest<Schema>,
  { token, call, signal }: AttemptOptions,
): Promise<z.output<Schema>> {
  const { method, maxAnswerBytes, requestType: type = 'application/json' } = limits;
  const timeLimitMs = limits.timeLimitMs + ANSWER_SLACK_MS;
  const answer = await connection.send({ method, url, body, type, token, timeLimitMs, maxAnswerBytes }, signal);
  if (answer.status !== 200) throw classifyRefusal(answer, call, wallNow());
  return parseAnswer(answer, schema, call);
}

function parseAnswer<Schema extends z.ZodType>({ body }: HttpAnswer, schema: Schema, call: string): z.output<Schema> {
  const hint = 'What is at this address is no coordinator, or one of another version.';
  let json: unknown;
  try {
    json = JSON.parse(body.toString());
  } catch (cause) {
    throw new CoordinatorError({ code: 'bad-answer', message: `${call}: the answer is not JSON`, hint, cause });
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new CoordinatorError({
    code: 'bad-answer',
    message: `${call}: the answer does not have the form that was expected`,
    hint,
    cause: parsed.error,
  });
}
