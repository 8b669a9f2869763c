import * as z from 'zod';
import type { HttpAnswer } from './rpc-connection.ts';

/** Why what stands before the server has not let a call through (problem details, RFC 9457). */
export interface RpcProblem {
  readonly status: number;
  /** Of a call that is to come again: after how long, in ms; null: it is not. */
  readonly retryAfterMs: number | null;
  /** For people. */
  readonly detail: string;
}

const problemSchema = z.object({ title: z.string().default(''), detail: z.string().default('') });
const RETRY_STATUS: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);
const LONGEST_PAUSE_S = 60;

/** null: it is the answer of the server itself, or of none. */
export function readProblem({ status, headers, body }: HttpAnswer): RpcProblem | null {
  if (status < 400 || !(headers['content-type'] ?? '').startsWith('application/problem+json')) return null;
  const { title, detail } = parse(body);
  return {
    status,
    retryAfterMs: RETRY_STATUS.has(status) ? pauseMs(headers['retry-after']) : null,
    detail: detail === '' ? title : detail,
  };
}

function pauseMs(seconds: string | undefined): number {
  return seconds !== undefined && /^\d{1,9}$/.test(seconds) ? Math.min(Number(seconds), LONGEST_PAUSE_S) * 1000 : 0;
}

function parse(body: Buffer): z.output<typeof problemSchema> {
  try {
    return problemSchema.parse(JSON.parse(body.toString()));
  } catch {
    return { title: '', detail: 'it does not say why' };
  }
}
