import * as z from 'zod';
import { scannerFault, type ScannerFaultCode } from './scanner-fault.ts';

/** The longest beginning of unusable output that a message quotes, in characters. */
const QUOTED_CHARACTERS = 80;

export interface JsonOrigin {
  /** `report`, for the message. */
  readonly what: string;
  /** Who printed it; Trivy if not given. */
  readonly by?: string;
  readonly code?: ScannerFaultCode;
}

/** Parses output that has to be JSON of the given form; throws a `ScannerFault`, with `bad-output` if no other code is given. */
export function parseTrivyJson<Schema extends z.ZodType>(json: Buffer, schema: Schema, origin: JsonOrigin): z.infer<Schema> {
  const { what, by = 'Trivy', code = 'bad-output' } = origin;
  let value: unknown;
  try {
    value = JSON.parse(json.toString());
  } catch (cause) {
    const begins = JSON.stringify(json.subarray(0, QUOTED_CHARACTERS).toString());
    const problem = json.length === 0 ? `${by} gave no ${what}.` : `${by} gave a ${what} that is not JSON; it begins with ${begins}.`;
    throw scannerFault(code, problem, cause);
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success)
    throw scannerFault(code, `${by} gave a ${what} that is not of the expected form: ${z.prettifyError(parsed.error)}`, parsed.error);
  return parsed.data;
}
