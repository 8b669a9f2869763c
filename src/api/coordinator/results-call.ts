import * as z from 'zod';
import { keepReasonSchema, removeReasonSchema } from '../reason-schemas.ts';
import { REMOVAL_STATES, RUN_STATES } from '../run-record.ts';
import { scannerInfoSchema } from '../scan-report-schemas.ts';
import { bytes, filesystemUsageSchema, imageIdSchema, runtimeVersionSchema, timeMs } from './inventory-call.ts';

/**
 * `POST /v1/runs/{job}/nodes/{node}/results`: what came of the run on this node, once. The same results sent again are acknowledged again and
 * recorded no second time; other ones are refused.
 */

const unreadableReasonSchema = z.object({ code: z.literal('unreadable'), recordedCode: z.string() });

const removalSchema = z.object({
  state: z.enum(REMOVAL_STATES),
  at: timeMs.nullable(),
  message: z.string().nullable(),
  keptBy: keepReasonSchema.nullable(),
  reclaimedBytes: bytes,
});

const imageShape = {
  imageId: imageIdSchema,
  repoTags: z.array(z.string()),
  repoDigests: z.array(z.string()),
  sizeBytes: bytes,
  estimatedBytes: bytes,
  ruling: z.discriminatedUnion('outcome', [
    z.object({ outcome: z.literal('keep'), reason: z.union([keepReasonSchema, unreadableReasonSchema]) }),
    z.object({ outcome: z.literal('remove'), reason: z.union([removeReasonSchema, unreadableReasonSchema]) }),
  ]),
  /** null: the image was to stay, or its turn never came. */
  removal: removalSchema.nullable(),
};
const decisionSchema = z
  .object(imageShape)
  .refine(({ ruling, removal }) => ruling.outcome === 'remove' || removal === null, 'an image that was to stay has no removal');

const count = z.int().nonnegative();
const summarySchema = z.object({
  images: count,
  keep: count,
  remove: count,
  removed: count,
  absent: count,
  keptAfterAll: count,
  failed: count,
  notAttempted: count,
  scanned: count,
  verdictsReused: count,
  estimatedBytes: bytes,
  reclaimedBytes: bytes,
});

export const resultsRequestSchema = z.object({
  /** By the node's clock, as is `endedAt`. */
  startedAt: timeMs,
  endedAt: timeMs,
  mode: z.enum(['automatic', 'manual']),
  state: z.enum(RUN_STATES).exclude(['running']),
  /** Why it failed or refused; null: it did not. */
  message: z.string().nullable(),
  /** null: the runtime was not reached. */
  runtime: runtimeVersionSchema.nullable(),
  /** null: the verdicts are of no scanner of ours, or none was needed. */
  scanner: scannerInfoSchema.nullable().default(null),
  summary: summarySchema.nullable(),
  filesystem: z.object({ before: filesystemUsageSchema, after: filesystemUsageSchema }).nullable(),
  /** One for each image of the node. */
  decisions: z
    .array(decisionSchema)
    .refine((decisions) => new Set(decisions.map(({ imageId }) => imageId.replace(/^sha256:/, ''))).size === decisions.length, {
      error: 'an image is in it twice',
    }),
  /** Findings that were left out of the reasons, the least severe ones, since all together are too large to be sent. */
  omittedFindings: count,
});
export type NodeResults = z.output<typeof resultsRequestSchema>;

/** `before`: these very results are on record already. */
export const resultsAnswerSchema = z.object({ recorded: z.enum(['now', 'before']) });
export type ResultsAnswer = z.output<typeof resultsAnswerSchema>;
