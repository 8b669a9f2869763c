import * as z from 'zod';

/** Why a call was refused, and with which HTTP status. */
export const PROBLEM_STATUS = {
  'cut-off': 400,
  'not-json': 400,
  'no-token': 401,
  /** The API server does not take it: expired, forged, or its pod is gone. */
  'token-rejected': 403,
  'other-audience': 403,
  'other-account': 403,
  'unbound-token': 403,
  /** None of our own worker pods. */
  'unknown-pod': 403,
  'pod-finished': 403,
  'other-node': 403,
  'other-run': 403,
  'run-ended': 403,
  'not-found': 404,
  'method-not-allowed': 405,
  'too-slow': 408,
  'results-differ': 409,
  'log-gap': 409,
  'length-required': 411,
  'too-large': 413,
  'unsupported-type': 415,
  invalid: 422,
  /** Trivy's server beside the coordinator works, and not as it should: no call will be answered otherwise before somebody has mended it. */
  'trivy-failed': 424,
  'too-many-refusals': 429,
  'too-many-calls': 429,
  internal: 500,
  unavailable: 503,
  /** The coordinator is there, and Trivy's server beside it is not. */
  'trivy-away': 503,
  busy: 503,
  closing: 503,
} as const;
export type ProblemCode = keyof typeof PROBLEM_STATUS;

export const PROBLEM_TYPE = 'application/problem+json';

/** The body of every refusal (RFC 9457). */
export const problemDetailsSchema = z.object({
  type: z.string().default('about:blank'),
  /** Of the HTTP status. */
  title: z.string(),
  status: z.int(),
  /** A `ProblemCode`, or one of a newer coordinator. */
  code: z.string(),
  /** What is wrong with this call. */
  detail: z.string(),
  /** What would be right. */
  allowed: z.string(),
  /** Of a body that does not have the right form: what is wrong, and where. */
  errors: z.array(z.object({ path: z.string(), message: z.string() })).default([]),
});
export type ProblemDetails = z.output<typeof problemDetailsSchema>;
