import * as z from 'zod';

/** What the process that holds a cluster tells the command that started it. */
export const hostMessageSchema = z.union([
  z.object({ kind: z.literal('progress'), line: z.string() }),
  z.object({ kind: z.literal('up') }),
  z.object({ kind: z.literal('failed'), message: z.string(), hint: z.string().optional() }),
]);

export type HostMessage = z.infer<typeof hostMessageSchema>;
