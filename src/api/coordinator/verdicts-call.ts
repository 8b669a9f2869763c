import * as z from 'zod';
import { UNSCANNED_REASONS } from '../scan-report.ts';
import { findingSchema, scannerInfoSchema } from '../scan-report-schemas.ts';
import { imageIdSchema } from './inventory-call.ts';

/**
 * `POST /v1/runs/{job}/nodes/{node}/verdicts`: what the whole cluster knows of these images. An answer holds as many verdicts as it may be large;
 * the images that it has not come to are in `rest`, to be asked about again.
 */

/** How many images one call may name. */
export const MOST_VERDICTS_ASKED = 1_000;

export const verdictsRequestSchema = z.object({ imageIds: z.array(imageIdSchema).min(1).max(MOST_VERDICTS_ASKED) });
export type VerdictsRequest = z.output<typeof verdictsRequestSchema>;

const scanReportSchema = z.object({
  imageId: z.string(),
  scanner: scannerInfoSchema,
  os: z.object({ family: z.string(), name: z.string(), endOfLife: z.boolean() }).nullable(),
  findings: z.array(findingSchema),
});

export const scanResultSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('scanned'), report: scanReportSchema }),
  z.object({ kind: z.literal('unscanned'), reason: z.enum(UNSCANNED_REASONS), message: z.string() }),
  z.object({ kind: z.literal('unscannable'), error: z.string() }),
]);

export const verdictsAnswerSchema = z.object({
  /** One for each image that is known. */
  verdicts: z.array(z.object({ imageId: imageIdSchema, result: scanResultSchema })),
  rest: z.array(imageIdSchema),
});
export type VerdictsAnswer = z.output<typeof verdictsAnswerSchema>;
