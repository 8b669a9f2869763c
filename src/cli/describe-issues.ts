import type * as z from 'zod';

/** What zod found wrong, as one line: where, and what is allowed there. */
export function describeIssues(error: z.ZodError): string {
  return error.issues.map(({ path, message }) => (path.length === 0 ? message : `${path.join('.')}: ${message}`)).join('; ');
}
