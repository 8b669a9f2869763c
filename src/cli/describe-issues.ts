import type * as z from 'zod';

/** What zod found wrong, as one line: where, and what is allowed there. */
export function describeIssues(error: z.ZodError): string {
  return describeSome(
    error.issues.map(({ path, message }) => (path.length === 0 ? message : `${path.join('.')}: ${message}`)),
    '; ',
  );
}

/** The first of the faults of an input, with how many more there are: a whole file of them would hide the first. */
export function describeSome(faults: readonly string[], separator: string, most = MOST_FAULTS): string {
  const rest = faults.length - most;
  return [...faults.slice(0, most), ...(rest > 0 ? [`and ${String(rest)} more`] : [])].join(separator);
}

const MOST_FAULTS = 10;
