import { STATUS_CODES } from 'node:http';
import { PROBLEM_STATUS, PROBLEM_TYPE, type ProblemCode, type ProblemDetails } from '../api/coordinator/problem-details.ts';
import type { Problem } from '../api/problem.ts';

/** What is sent back. */
export interface Answer {
  readonly kind: 'answer';
  readonly status: number;
  readonly type: string;
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

export interface RefusalDetails {
  /** What is wrong with this call. */
  readonly detail: string;
  /** What would be right. */
  readonly allowed: string;
  readonly errors?: readonly Problem[];
  readonly retryAfterSeconds?: number;
  /** The methods of the address. */
  readonly allow?: string;
}

/** Why a call is not answered as it was asked. */
export interface Refusal extends RefusalDetails {
  readonly kind: 'refused';
  readonly code: ProblemCode;
}

export function refuse(code: ProblemCode, details: RefusalDetails): Refusal {
  return { kind: 'refused', code, ...details };
}

/** More would be of no help. */
const MOST_ERRORS = 20;

export function answerRefusal({ code, detail, allowed, errors = [], retryAfterSeconds, allow }: Refusal): Answer {
  const status = PROBLEM_STATUS[code];
  const problem: ProblemDetails = {
    type: 'about:blank',
    title: STATUS_CODES[status] ?? '',
    status,
    code,
    detail,
    allowed,
    errors: errors.slice(0, MOST_ERRORS).map(({ path, message }) => ({ path, message })),
  };
  const headers = {
    ...(retryAfterSeconds === undefined ? {} : { 'retry-after': String(Math.max(1, Math.ceil(retryAfterSeconds))) }),
    ...(allow === undefined ? {} : { allow }),
    ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
  };
  return { kind: 'answer', status, type: PROBLEM_TYPE, body: Buffer.from(JSON.stringify(problem)), headers };
}

export function answerJson(value: unknown): Answer {
  return { kind: 'answer', status: 200, type: 'application/json', body: Buffer.from(JSON.stringify(value)), headers: {} };
}
