import * as z from 'zod';
import type { FilesystemUsage, RuntimeVersion } from '../api/inventory.ts';
import { REMOVAL_STATES, RUN_STATES, type RunSummary } from '../api/run-record.ts';

/** What the columns that hold JSON, or a word of a closed list, must hold when they are read. */

export const runStateSchema = z.enum(RUN_STATES);
export const runModeSchema = z.enum(['automatic', 'manual']);
export const removalStateSchema = z.enum(REMOVAL_STATES);
export const textsSchema = z.array(z.string());

export const runtimeSchema: z.ZodType<RuntimeVersion> = z.object({ name: z.string(), version: z.string() });

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
