import * as z from 'zod';
import { FINDING_STATUSES, PACKAGE_CLASSES, SEVERITIES } from '../scan-report.ts';

/**
 * `GET /v1/runs/{job}/nodes/{node}/settings`: what the run goes by beside the lists that its pods mount. Frozen when the run began, and the same for
 * every worker of it.
 */

const scanPolicySchema = z.object({
  severities: z.array(z.enum(SEVERITIES)),
  packageClasses: z.array(z.enum(PACKAGE_CLASSES)),
  ignoreUnfixed: z.boolean(),
  ignoredStatuses: z.array(z.enum(FINDING_STATUSES)),
  ignoredVulnerabilities: z.array(z.object({ id: z.string(), statement: z.string(), expiresAt: z.string().nullable() })),
  removeEndOfLife: z.boolean(),
  removeUnscannable: z.boolean(),
});

const diskLimitSchema = z.object({ unit: z.enum(['percent', 'bytes']), value: z.number().nonnegative() });

export const settingsAnswerSchema = z.object({
  /** null: the scanner is off. */
  scanPolicy: scanPolicySchema.nullable(),
  minAgeMs: z.number().nonnegative(),
  /** null: no greatest age. */
  maxAgeMs: z.number().nonnegative().nullable(),
  /** null: no disk threshold. */
  diskLimits: z.object({ high: diskLimitSchema, low: diskLimitSchema }).nullable(),
  /** Kubernetes objects, and the images that they refer to without a container. */
  protections: z.array(
    z.object({ object: z.object({ kind: z.string(), namespace: z.string(), name: z.string() }), imageReferences: z.array(z.string()) }),
  ),
});
export type RunSettings = z.output<typeof settingsAnswerSchema>;
