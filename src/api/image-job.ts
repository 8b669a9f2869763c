import * as z from 'zod';
import { conditionsSchema, type ConditionMeaning } from './condition.ts';
import { AGE_COLUMN, customResourceSchema, type CustomResource } from './custom-resource.ts';
import { count, timestamp, unboundedCount } from './object-fields.ts';
import { parseWith, type Parsed } from './problem.ts';

/** Tells on whose behalf a job runs. */
export const JOB_OWNER_LABEL = 'eraser.sh/job-owner';
export const JOB_OWNERS = { automatic: 'imagecollector', manual: 'imagelist-controller' } as const;

/** On a job that is for late nodes alone: the job of the automatic run that did not get to them. */
export const LATE_NODES_LABEL = 'eraser.sh/late-nodes-of';

export const JOB_PHASES = ['Running', 'Completed', 'Failed'] as const;
export type JobPhase = (typeof JOB_PHASES)[number];

/** As of a Job of Kubernetes: when the job has ended, one of the two is True. */
export const IMAGE_JOB_CONDITIONS = {
  Complete: {
    polarity: 'normal-true',
    meaning: 'True: the job has ended, and succeeded on enough nodes. False or absent: it is under way, or has failed.',
  },
  Stalled: {
    polarity: 'abnormal-true',
    meaning:
      'True: the job has not begun, since something that it would go by cannot be read; it begins once that can be. Absent: nothing is in the way.',
  },
  Paused: {
    polarity: 'abnormal-true',
    meaning:
      'True: a wave of nodes has ended, and the next begins after `manager.imageJob.waves.pause` of the configuration. Absent: no pause goes on.',
  },
  FailureTarget: {
    polarity: 'abnormal-true',
    meaning:
      'True: more nodes have failed than `manager.imageJob.maxFailed` of the configuration allows; no others are begun with, ' +
      'and the job has failed once those in flight have ended, as with a Job of Kubernetes. Absent: they have not.',
  },
  Failed: {
    polarity: 'abnormal-true',
    meaning:
      'True: the job has ended, and did not succeed on enough nodes, or could not be carried out. False or absent: it has not failed.',
  },
} as const satisfies Record<string, ConditionMeaning>;
export type ImageJobConditionType = keyof typeof IMAGE_JOB_CONDITIONS;

const skippedByReasonSchema = z
  .object({
    notReady: count.optional().meta({ description: 'Nodes that were not ready.' }),
    filtered: count.optional().meta({ description: 'Nodes that `manager.nodeFilter` of the configuration leaves out.' }),
    windows: count.optional().meta({ description: 'Nodes that run Windows.' }),
    virtual: count.optional().meta({ description: 'Virtual nodes, which have no images.' }),
    beingDeleted: count.optional().meta({ description: 'Nodes that were deleted, or were being deleted, at their turn.' }),
    notStarted: count.optional().meta({
      description: 'Nodes that were not begun with, since more had failed than `manager.imageJob.maxFailed` of the configuration allows.',
    }),
    unknownRuntime: count.optional().meta({ description: 'Nodes whose container runtime is none that is known.' }),
  })
  .meta({ description: 'The skipped nodes by the reason. Other reasons may be added: the sum can be less than `skipped`.' });

const statusSchema = z
  .object({
    phase: z.enum(JOB_PHASES).optional().meta({
      description: 'Running, Completed (enough nodes succeeded, by `manager.imageJob.successRatio` of the configuration) or Failed.',
    }),
    desired: unboundedCount.optional().meta({ description: 'Number of nodes that the job is for, those that are skipped among them.' }),
    succeeded: unboundedCount.optional().meta({ description: 'Number of nodes on which it succeeded.' }),
    failed: unboundedCount.optional().meta({ description: 'Number of nodes on which it failed.' }),
    skipped: unboundedCount.optional().meta({ description: 'Number of nodes that it leaves out.' }),
    skippedByReason: skippedByReasonSchema.optional(),
    startTime: timestamp.optional().meta({ description: 'When the job began.' }),
    completionTime: timestamp.optional().meta({ description: 'When the job ended, completed or failed.' }),
    deleteAfter: timestamp.optional().meta({
      description: 'When the job is deleted: `manager.imageJob.cleanup` of the configuration after its end.',
    }),
    removedImages: count.optional().meta({
      description: 'Images that were removed, over all nodes: one that was on three nodes counts three times.',
    }),
    reclaimedBytes: count.optional().meta({ description: 'Bytes that this freed, over all nodes, by estimate.' }),
    observedGeneration: count
      .optional()
      .meta({ description: 'The generation of the job (`metadata.generation`) that the status is about.' }),
    conditions: conditionsSchema(IMAGE_JOB_CONDITIONS).optional(),
  })
  .meta({ description: 'What came of the job. Written by the manager.' });

const schema = customResourceSchema('ImageJob', { status: statusSchema.optional() });

/** As the API server gives it. A job without a status has not begun. */
export type ImageJob = z.output<typeof schema>;
export type ImageJobStatus = z.output<typeof statusSchema>;

/** Lenient to fields that a newer version has, strict about what it knows. */
export function parseImageJob(raw: unknown): Parsed<ImageJob> {
  return parseWith(schema, raw);
}

export const IMAGE_JOB: CustomResource = {
  kind: 'ImageJob',
  plural: 'imagejobs',
  singular: 'imagejob',
  shortNames: ['ij'],
  description: 'One run over the nodes of the cluster, automatic or of an ImageList. Made by the manager; it is not for making by hand.',
  schema,
  columns: [
    { name: 'Phase', type: 'string', jsonPath: '.status.phase', description: 'Running, Completed or Failed.' },
    { name: 'Desired', type: 'integer', jsonPath: '.status.desired', description: 'Nodes that the job is for.' },
    { name: 'Succeeded', type: 'integer', jsonPath: '.status.succeeded', description: 'Nodes on which it succeeded.' },
    { name: 'Failed', type: 'integer', jsonPath: '.status.failed', description: 'Nodes on which it failed.' },
    { name: 'Skipped', type: 'integer', jsonPath: '.status.skipped', description: 'Nodes that it leaves out.' },
    { name: 'Removed', type: 'integer', jsonPath: '.status.removedImages', description: 'Images that were removed, over all nodes.' },
    { name: 'Freed Bytes', type: 'integer', jsonPath: '.status.reclaimedBytes', description: 'Bytes that this freed, over all nodes.' },
    {
      name: 'Owner',
      type: 'string',
      jsonPath: `.metadata.labels.${JOB_OWNER_LABEL.replaceAll('.', '\\.')}`,
      description: `On whose behalf: ${JOB_OWNERS.automatic} (automatic) or ${JOB_OWNERS.manual} (an ImageList).`,
      wide: true,
    },
    { name: 'Ended', type: 'date', jsonPath: '.status.completionTime', description: 'How long ago it ended.', wide: true },
    AGE_COLUMN,
  ],
  conditions: IMAGE_JOB_CONDITIONS,
};
