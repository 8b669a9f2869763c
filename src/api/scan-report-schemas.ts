import * as z from 'zod';
import { FINDING_STATUSES, PACKAGE_CLASSES, SEVERITIES, type Finding, type ScannerInfo } from './scan-report.ts';

/** Parts of scan reports, as they are sent and stored. */

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
