import * as z from 'zod';
import type { ImageUser, KeepReason, RemoveReason } from './decision.ts';
import { UNSCANNED_REASONS } from './scan-report.ts';
import { findingSchema } from './scan-report-schemas.ts';

/** Reasons of decisions, as they are sent and stored. */

const bytes = z.number().nonnegative();

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
  z.object({ code: z.literal('disk-pressure'), usedBytes: bytes, highBytes: bytes, lowBytes: bytes }),
  z.object({ code: z.literal('vulnerable'), findings: z.array(findingSchema) }),
  z.object({ code: z.literal('end-of-life'), os: z.string() }),
  z.object({ code: z.literal('unscannable'), error: z.string() }),
  z.object({ code: z.literal('rejected') }),
  z.object({ code: z.literal('unused') }),
]);
