import * as z from 'zod';
import type { ImageUser, KeepReason, RemoveReason } from '../api/decision.ts';
import type { FilesystemUsage, RuntimeVersion } from '../api/inventory.ts';
import { REMOVAL_STATES, RUN_STATES, type RunSummary } from '../api/run-record.ts';
import { FINDING_STATUSES, PACKAGE_CLASSES, SEVERITIES, UNSCANNED_REASONS, type Finding, type ScannerInfo } from '../api/scan-report.ts';

/** What the columns that hold JSON, or a word of a closed list, must hold when they are read. */

export const runStateSchema = z.enum(RUN_STATES);
export const runModeSchema = z.enum(['automatic', 'manual']);
export const removalStateSchema = z.enum(REMOVAL_STATES);
export const textsSchema = z.array(z.string());

export const runtimeSchema: z.ZodType<RuntimeVersion> = z.object({ name: z.string(), version: z.string() });

export const scannerSchema: z.ZodType<ScannerInfo> = z.object({
  name: z.string(),
  version: z.string(),
  databaseUpdatedAt: z.string().nullable(),
  // Runs of earlier versions did not keep it.
  databaseMark: z.string().nullable().default(null),
});

export const summarySchema: z.ZodType<RunSummary> = z.object({
  images: z.number(),
  keep: z.number(),
  remove: z.number(),
  removed: z.number(),
  absent: z.number(),
  keptAfterAll: z.number(),
  failed: z.number(),
  notAttempted: z.number(),
  scanned: z.number(),
  verdictsReused: z.number(),
  estimatedBytes: z.number(),
  reclaimedBytes: z.number(),
});

const usageSchema: z.ZodType<FilesystemUsage> = z.object({
  mountpoint: z.string(),
  usedBytes: z.number(),
  availableBytes: z.number(),
  capacityBytes: z.number(),
});

export const filesystemSchema = z.object({ before: usageSchema, after: usageSchema });

export const findingSchema: z.ZodType<Finding> = z.object({
  id: z.string(),
  packageName: z.string(),
  packageClass: z.enum(PACKAGE_CLASSES),
  installedVersion: z.string(),
  fixedVersion: z.string().nullable(),
  severity: z.enum(SEVERITIES),
  status: z.enum(FINDING_STATUSES),
});

const imageUserSchema: z.ZodType<ImageUser> = z.discriminatedUnion('kind', [
  z.object({
    kind: z.enum(['container', 'volume', 'unresolved-container']),
    containerId: z.string(),
    container: z.string(),
    pod: z.string(),
    state: z.enum(['created', 'running', 'exited', 'unknown']),
  }),
  z.object({ kind: z.literal('pending-pod'), pod: z.string() }),
]);

export const keepReasonSchema: z.ZodType<KeepReason> = z.discriminatedUnion('code', [
  z.object({ code: z.literal('in-use'), users: z.array(imageUserSchema) }),
  z.object({ code: z.literal('pinned'), by: z.enum(['runtime', 'sandbox-image', 'maybe-sandbox-image']) }),
  z.object({ code: z.literal('excluded'), list: z.string(), entry: z.string() }),
  z.object({ code: z.literal('not-listed') }),
  z.object({
    code: z.literal('protected'),
    objects: z.array(z.object({ kind: z.string(), namespace: z.string(), name: z.string() })),
  }),
  z.object({ code: z.literal('too-young'), ageMs: z.number().nullable(), minAgeMs: z.number() }),
  z.object({ code: z.literal('unscanned'), why: z.enum(UNSCANNED_REASONS), message: z.string() }),
  z.object({ code: z.literal('compliant'), ignoredFindings: z.number().nullable() }),
]);

export const removeReasonSchema: z.ZodType<RemoveReason> = z.discriminatedUnion('code', [
  z.object({ code: z.literal('listed'), entry: z.string() }),
  z.object({ code: z.literal('expired'), unusedMs: z.number(), maxAgeMs: z.number() }),
  z.object({ code: z.literal('disk-pressure'), usedBytes: z.number(), highBytes: z.number(), lowBytes: z.number() }),
  z.object({ code: z.literal('vulnerable'), findings: z.array(findingSchema) }),
  z.object({ code: z.literal('end-of-life'), os: z.string() }),
  z.object({ code: z.literal('unscannable'), error: z.string() }),
  z.object({ code: z.literal('rejected') }),
  z.object({ code: z.literal('unused') }),
]);
