import type { IncomingHttpHeaders } from 'node:http';
import { problemDetailsSchema, PROBLEM_TYPE, type ProblemDetails } from '../../api/coordinator/problem-details.ts';
import { errorMessage } from '../../platform/errors.ts';
import { CoordinatorError } from './coordinator-error.ts';

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** The attempt was broken off by its own time limit. */
export class AttemptTimeout extends Error {}

/** What a request that came to no answer means. `call`: `POST https://…/results`. */
export function classifyFailure(error: unknown, call: string): CoordinatorError {
  if (error instanceof CoordinatorError) return error;
  if (error instanceof AttemptTimeout) {
    return new CoordinatorError({ code: 'timeout', action: 'retry', message: `${call}: ${error.message}`, cause: error });
  }
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const details = { action: 'retry', message: `${call}: ${errorMessage(error)}`, cause: error } as const;
  if (!UNTRUSTED.test(code)) return new CoordinatorError({ code: 'unreachable', ...details });
  const hint =
    'The CA bundle of this pod does not vouch for the certificate: it may be on its way, or something else answers at this address.';
  return new CoordinatorError({ code: 'untrusted', ...details, hint });
}

/** OpenSSL's reasons to distrust a certificate, as Node names them. */
const UNTRUSTED = /^(CERT_|ERR_TLS_CERT_|SELF_SIGNED_CERT|DEPTH_ZERO_SELF_SIGNED_CERT$|UNABLE_TO_|HOSTNAME_MISMATCH$|INVALID_CA$)/;
/** These may be answered otherwise when the same is asked again. */
const PASSING_STATUS: ReadonlySet<number> = new Set([408, 425, 429]);
/** The connection was cut on the way to the coordinator, which has seen only a part. */
const PASSING_PROBLEMS: ReadonlySet<string> = new Set(['cut-off']);

/** What any answer but 200 means. `wallNow`: milliseconds since the epoch. */
export function classifyRefusal({ status, headers, body }: HttpAnswer, call: string, wallNow: number): CoordinatorError {
  const problem = (headers['content-type'] ?? '').startsWith(PROBLEM_TYPE) ? parseProblem(body) : null;
  const what = problem === null ? `HTTP status ${status}` : describe(problem);
  const details = { message: `${call}: ${what}`, problem: problem?.code ?? null };
  if (status >= 500 || PASSING_STATUS.has(status) || PASSING_PROBLEMS.has(problem?.code ?? '')) {
    return new CoordinatorError({
      code: 'away',
      action: 'retry',
      ...details,
      retryAfterMs: readRetryAfter(headers['retry-after'], wallNow),
    });
  }
  if (problem?.code === 'run-ended') return new CoordinatorError({ code: 'run-ended', ...details });
  if (problem === null) return new CoordinatorError({ code: 'bad-answer', ...details, hint: 'What is at this address is no coordinator.' });
  return new CoordinatorError({ code: problem.code === 'too-large' ? 'too-large' : 'refused', ...details, hint: problem.allowed });
}

function describe({ code, detail, errors }: ProblemDetails): string {
  const first = errors.map(({ path, message }) => `${path === '' ? '' : `${path}: `}${message}`).slice(0, 3);
  return [`${code}: ${detail}`, ...first].join(' ');
}

function parseProblem(body: Buffer): ProblemDetails | null {
  try {
    return problemDetailsSchema.safeParse(JSON.parse(body.toString())).data ?? null;
  } catch {
    return null;
  }
}

/** A worker has hours, and no coordinator is away for longer on purpose. */
const LONGEST_RETRY_AFTER_MS = 300_000;

/** Seconds, or a date (RFC 9110, 10.2.3). */
function readRetryAfter(text: string | undefined, wallNow: number): number {
  if (text === undefined) return 0;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - wallNow;
  return Number.isNaN(ms) ? 0 : Math.min(LONGEST_RETRY_AFTER_MS, Math.max(0, ms));
}
