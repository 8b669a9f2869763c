import type * as z from 'zod';

/** What is wrong with an input, and where. */
export interface Problem {
  /** `manager.scheduling.repeatInterval`, `spec.images[3]`; empty: the whole. */
  readonly path: string;
  readonly message: string;
}

export type Parsed<Value> =
  | { readonly ok: true; readonly value: Value }
  /** All of them, not only the first. */
  | { readonly ok: false; readonly errors: readonly Problem[] };

export function parseWith<Schema extends z.ZodType>(schema: Schema, raw: unknown): Parsed<z.output<Schema>> {
  const parsed = schema.safeParse(raw);
  return parsed.success ? { ok: true, value: parsed.data } : { ok: false, errors: describeProblems(parsed.error) };
}

/** A key that is not known is a problem of its own. `below`: the path of what was parsed. */
export function describeProblems({ issues }: z.ZodError, below: readonly PropertyKey[] = []): Problem[] {
  const problems = issues.flatMap((issue) => {
    const path = [...below, ...issue.path];
    if (issue.code !== 'unrecognized_keys') return [{ path: formatPath(path), message: issue.message }];
    const messages = issue.message.split('\n');
    return issue.keys.map((key, at) => ({ path: formatPath([...path, key]), message: messages[at] ?? 'unknown' }));
  });
  // A number that is no whole one, and too great: what is allowed is said once.
  return [...new Map(problems.map((problem) => [`${problem.path}\n${problem.message}`, problem])).values()];
}

export function formatPath(path: readonly PropertyKey[]): string {
  return path.map((key, at) => (typeof key === 'number' ? `[${key}]` : `${at === 0 ? '' : '.'}${shorten(String(key))}`)).join('');
}

const LONGEST_SHOWN = 60;

/** What an input says, for a message. */
export function shorten(given: string): string {
  return given.length > LONGEST_SHOWN ? `${given.slice(0, LONGEST_SHOWN)}…` : given;
}
