import * as z from 'zod';

/** What `image-cleaner history -o json` prints of a cluster, as far as it is used here. Fields that a newer version has are left as they are. */

const time = z.string().nullable();
const sums = z.looseObject({
  images: z.number(),
  removed: z.number(),
  failed: z.number(),
  notAttempted: z.number(),
  scanned: z.number(),
  reclaimedBytes: z.number(),
});

export const jobsSchema = z.array(
  z.looseObject({
    uid: z.string(),
    name: z.string().nullable(),
    mode: z.string().nullable(),
    startedAt: time,
    endedAt: time,
    /** Whose results are on record. */
    nodes: z.number(),
    states: z.record(z.string(), z.number()),
    sums,
  }),
);
export type HistoryJob = z.output<typeof jobsSchema>[number];

const decision = z.looseObject({
  imageId: z.string(),
  repoTags: z.array(z.string()),
  repoDigests: z.array(z.string()),
  sizeBytes: z.number(),
  outcome: z.enum(['keep', 'remove']),
  reason: z.looseObject({ code: z.string() }),
  /** The reason as a sentence. */
  message: z.string(),
  cves: z.array(z.string()),
  removal: z
    .looseObject({
      state: z.string(),
      message: z.string().nullable(),
      keptBy: z.looseObject({ code: z.string() }).nullable(),
      reclaimedBytes: z.number(),
    })
    .nullable(),
});
export type HistoryDecision = z.output<typeof decision>;

const job = z.looseObject({ uid: z.string(), name: z.string().nullable() });

/** Of `--job`. */
export const nodeRunsSchema = z.array(
  z.looseObject({
    id: z.number(),
    startedAt: z.string(),
    endedAt: time,
    mode: z.string(),
    state: z.string(),
    message: z.string().nullable(),
    summary: sums.nullable(),
    node: z.looseObject({ name: z.string(), job, recordedAt: z.string() }),
    decisions: z.array(decision),
  }),
);
export type HistoryNodeRun = z.output<typeof nodeRunsSchema>[number];

/** Of `--image`: newest first. */
export const imageDecisionsSchema = z.array(
  decision.extend({ runId: z.number(), runStartedAt: time, node: z.string().optional(), job: job.optional() }),
);
export type HistoryImageDecision = z.output<typeof imageDecisionsSchema>[number];

/** Of `--job … --logs`. */
export const logsSchema = z.array(
  z.looseObject({ node: z.string(), podName: z.string(), container: z.string(), lines: z.array(z.string()), missingPieces: z.number() }),
);
export type HistoryLog = z.output<typeof logsSchema>[number];

/** Of `--verdicts` and `--revoke`. */
export const verdictsSchema = z.array(
  z.looseObject({
    node: z.string(),
    imageId: z.string(),
    repoTags: z.array(z.string()),
    repoDigests: z.array(z.string()),
    scanner: z.looseObject({ name: z.string(), version: z.string() }),
    readAt: time,
    judgedAt: time,
  }),
);
export type HistoryVerdict = z.output<typeof verdictsSchema>[number];
