import * as z from 'zod';
import { FINDING_STATUSES, PACKAGE_CLASSES, SEVERITIES } from '../scan-report.ts';

export const findingSchema = z.object({
  id: z.string(),
  packageName: z.string(),
  packageClass: z.enum(PACKAGE_CLASSES),
  installedVersion: z.string(),
  fixedVersion: z.string().nullable(),
  severity: z.enum(SEVERITIES),
  status: z.enum(FINDING_STATUSES),
});
