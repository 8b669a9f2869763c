import * as z from 'zod';
import { scannerInfoSchema, scanReportSchema } from '../scan-report-schemas.ts';
import { imageIdSchema } from './inventory-call.ts';

/**
 * `POST /v1/runs/{job}/nodes/{node}/known-reports`: what scans on any node have found in these images, by just this scanner and database. An answer
 * holds as many reports as it may be large; the images that it has not come to are in `rest`, to be asked about again.
 */

/** How many images one call may name. */
export const MOST_IMAGES_ASKED = 1_000;

export const knownReportsRequestSchema = z.object({
  /** null: Trivy with the database that the cluster's server has now. */
  scanner: scannerInfoSchema.nullable(),
  imageIds: z.array(imageIdSchema).min(1).max(MOST_IMAGES_ASKED),
});
export type KnownReportsRequest = z.output<typeof knownReportsRequestSchema>;

export const knownReportsAnswerSchema = z.object({
  /** One for each image that is known. */
  known: z.array(z.object({ imageId: imageIdSchema, report: scanReportSchema })),
  rest: z.array(imageIdSchema),
});
export type KnownReportsAnswer = z.output<typeof knownReportsAnswerSchema>;

/** `POST /v1/runs/{job}/nodes/{node}/reports`: what a scan has found, to be known from then on. */
export const reportsRequestSchema = z.object({ reports: z.array(scanReportSchema) });
export type ReportsRequest = z.output<typeof reportsRequestSchema>;

export const reportsAnswerSchema = z.object({ kept: z.int().nonnegative() });
export type ReportsAnswer = z.output<typeof reportsAnswerSchema>;
