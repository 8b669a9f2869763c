import * as z from 'zod';
import { findDuplicateKey } from './find-duplicate-key.ts';
import { parseWith, shorten, type Parsed } from './problem.ts';

/** The JSON of an exclusion list, as in a configmap labelled `eraser.sh/exclude.list=true`: `{"excluded": ["ghcr.io/acme/*"]}`. */
const exclusionListSchema = z.strictObject({ excluded: z.array(z.string().min(1, 'an entry is empty')) });

/** A list with a name that a decision can cite: a file, a flag, a configmap and key. */
export interface ExclusionList {
  readonly name: string;
  readonly entries: readonly string[];
  /** `eraser`: the entries match as they do for Eraser, which keeps more by some; and no entry of such a list is refused. */
  readonly matching?: 'eraser' | undefined;
}

/**
 * Strict: a list that is not read in full would be a shorter one, and what it was meant to protect would go. The patterns themselves are
 * left to whoever compiles them.
 */
export function parseExclusionList(name: string, text: string): Parsed<ExclusionList> {
  const json = parseJson(text);
  if (!json.ok) return json;
  const list = parseWith(exclusionListSchema, json.value);
  return list.ok ? { ok: true, value: { name, entries: list.value.excluded } } : list;
}

function parseJson(text: string): Parsed<unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { ok: false, errors: [{ path: '', message: `is not JSON: ${(error as SyntaxError).message}` }] };
  }
  const twice = findDuplicateKey(text);
  return twice === null
    ? { ok: true, value }
    : { ok: false, errors: [{ path: '', message: `the key "${shorten(twice)}" is there twice` }] };
}
