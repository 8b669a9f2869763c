import type * as z from 'zod';
import { parseWith } from '../../api/problem.ts';
import { errorMessage } from '../../platform/errors.ts';
import type { Worker } from '../ports.ts';
import { refuse, type Answer, type Refusal } from '../refusal.ts';

/** A call that was let in. */
export interface Call {
  readonly worker: Worker;
  /** Empty: it has none. */
  readonly body: Buffer;
  /** Aborts when the call's time is over, or the caller is gone. */
  readonly signal: AbortSignal;
}

/** Answers one kind of call. Rejects when it cannot be done now. */
export type AnswerCall = (call: Call) => Promise<Answer | Refusal>;

export function parseBody<Schema extends z.ZodType>(
  schema: Schema,
  body: Buffer,
): { readonly kind: 'parsed'; readonly value: z.output<Schema> } | Refusal {
  const allowed = 'The form that this version of the API has for the call.';
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (error) {
    return refuse('not-json', { detail: `The body is not JSON: ${errorMessage(error)}`, allowed: 'A JSON object, in UTF-8.' });
  }
  const parsed = parseWith(schema, json);
  if (parsed.ok) return { kind: 'parsed', value: parsed.value };
  return refuse('invalid', { detail: 'The body does not have the form of this call.', allowed, errors: parsed.errors });
}
