import * as z from 'zod';
import {
  FINDING_STATUSES,
  PACKAGE_CLASSES,
  SEVERITIES,
  UNSCANNED_REASONS,
  type Finding,
  type ScannerInfo,
  type ScanReport,
} from './scan-report.ts';

/** Scan reports and their parts, as they are sent and stored. */

export const findingSchema: z.ZodType<Finding> = z.object({
  id: z.string(),
  packageName: z.string(),
  packageClass: z.enum(PACKAGE_CLASSES),
  installedVersion: z.string(),
  fixedVersion: z.string().nullable(),
  severity: z.enum(SEVERITIES),
  status: z.enum(FINDING_STATUSES),
});

export const scannerInfoSchema: z.ZodType<ScannerInfo> = z.object({
  name: z.string(),
  version: z.string(),
  databaseUpdatedAt: z.string().nullable(),
  // Runs of earlier versions did not keep it.
  databaseMark: z.string().nullable().default(null),
});

export const scanReportSchema: z.ZodType<ScanReport> = z.object({
  imageId: z.string().min(1).max(512),
  scanner: scannerInfoSchema,
  os: z.object({ family: z.string(), name: z.string(), endOfLife: z.boolean() }).nullable(),
  findings: z.array(findingSchema),
});

export const scanResultSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('scanned'), report: scanReportSchema }),
  z.object({ kind: z.literal('unscanned'), reason: z.enum(UNSCANNED_REASONS), message: z.string() }),
  z.object({ kind: z.literal('unscannable'), error: z.string() }),
]);
