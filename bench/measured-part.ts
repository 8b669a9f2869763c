import * as z from 'zod';

const measuredPartSchema = z.object({
  wallMs: z.number(),
  /** Of all threads: also V8's, which compile and collect garbage. */
  cpuMs: z.number(),
  /** Of the thread that runs our code. */
  threadCpuMs: z.number(),
});

/** What a workload prints of the part of it that counts. */
export type MeasuredPart = z.infer<typeof measuredPartSchema>;

export function parseMeasuredPart(json: string): MeasuredPart {
  return measuredPartSchema.parse(JSON.parse(json));
}
