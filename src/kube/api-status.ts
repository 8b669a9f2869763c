import * as z from 'zod';

const causeSchema = z.object({ reason: z.string().default(''), message: z.string().default(''), field: z.string().default('') });

/** What the API server says of a call that failed (meta/v1 Status). */
export const apiStatusSchema = z.object({
  kind: z.literal('Status'),
  code: z.number().default(0),
  /** For programs: `AlreadyExists`, `Expired`. Empty when the API server gives none. */
  reason: z.string().default(''),
  message: z.string().default(''),
  details: z
    .object({
      name: z.string().optional(),
      kind: z.string().optional(),
      retryAfterSeconds: z.number().optional(),
      causes: z.array(causeSchema).default([]),
    })
    .default({ causes: [] }),
});
export type ApiStatus = z.infer<typeof apiStatusSchema>;
