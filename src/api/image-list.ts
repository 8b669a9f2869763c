import * as z from 'zod';
import { conditionsSchema, type ConditionMeaning } from './condition.ts';
import { AGE_COLUMN, customResourceSchema, type CustomResource } from './custom-resource.ts';
import { count, timestamp, unboundedCount } from './object-fields.ts';
import { parseWith, type Parsed } from './problem.ts';

/** The only name that acts: there is one list to work off, and a second one would contradict it. */
export const IMAGE_LIST_NAME = 'imagelist';

/** More than a reference can have: a host of 253 and its port, a path of 255, a tag of 128 and a digest of 135 characters. */
const LONGEST_ENTRY = 1024;
/**
 * Bounds for the API server, which asks for them of new entries only: a list that Eraser took may have others, and is read. Bounds rather than
 * rules (CEL), which would want one on the number of entries too, for their cost, and of which the API server says at every other fault that it did
 * not ask them. What else is no image, the manager tells in a condition.
 */
const entry = z.string().meta({ minLength: 1, maxLength: LONGEST_ENTRY });

const specSchema = z
  .object({
    images: z.array(entry).meta({
      description:
        'The images to remove from every node: tags (`alpine:3.7.3` is `docker.io/library/alpine:3.7.3`), digests or image ids, or `*` for every ' +
        'image that no container uses. An image that a container uses, running or exited, stays.',
    }),
  })
  .meta({ description: 'What is to be removed. A run begins when the list is created and at every change of it.' });

/**
 * `Ready`, `Reconciling` and `Stalled` are what tools that wait for any kind of object look at (kstatus: Flux, `helm --wait`, `kubectl wait`).
 * Reconciling and Stalled are absent rather than False.
 */
export const IMAGE_LIST_CONDITIONS = {
  Ready: {
    polarity: 'normal-true',
    meaning: 'True: the list has been worked off, on enough nodes. False: its run is under way or due, has failed, or there will be none.',
  },
  Reconciling: {
    polarity: 'abnormal-true',
    meaning: 'True: the run of this list is under way or due. Absent: none is.',
  },
  Stalled: {
    polarity: 'abnormal-true',
    meaning:
      `True: nothing is done until someone changes something: an entry is no image, an exclusion list cannot be read, or the list has another ` +
      `name than \`${IMAGE_LIST_NAME}\`, which alone acts. Absent: nothing is in the way.`,
  },
} as const satisfies Record<string, ConditionMeaning>;
export type ImageListConditionType = keyof typeof IMAGE_LIST_CONDITIONS;

const statusSchema = z
  .object({
    success: unboundedCount.optional().meta({ description: 'Number of nodes on which the last run succeeded.' }),
    failed: unboundedCount.optional().meta({ description: 'Number of nodes on which the last run failed.' }),
    skipped: unboundedCount.optional().meta({ description: 'Number of nodes that the last run left out.' }),
    timestamp: timestamp.optional().meta({ description: 'When the last run ended.' }),
    startTime: timestamp.optional().meta({ description: 'When the last run began.' }),
    removedImages: count.optional().meta({
      description: 'Images that the last run removed, over all nodes: one that was on three nodes counts three times.',
    }),
    reclaimedBytes: count.optional().meta({ description: 'Bytes that this freed, over all nodes, by estimate.' }),
    observedGeneration: count
      .optional()
      .meta({ description: 'The generation of the list (`metadata.generation`) that the status is about.' }),
    conditions: conditionsSchema(IMAGE_LIST_CONDITIONS).optional(),
  })
  .meta({ description: 'What came of the list. Written by the manager.' });

const schema = customResourceSchema('ImageList', { spec: specSchema.optional(), status: statusSchema.optional() });

/** As the API server gives it. Without a spec, as Eraser's definition allows, there is nothing to do. */
export type ImageList = z.output<typeof schema>;
export type ImageListStatus = z.output<typeof statusSchema>;

/** Lenient to fields that a newer version has, strict about what it knows. */
export function parseImageList(raw: unknown): Parsed<ImageList> {
  return parseWith(schema, raw);
}

export const IMAGE_LIST: CustomResource = {
  kind: 'ImageList',
  plural: 'imagelists',
  singular: 'imagelist',
  shortNames: ['il'],
  description: `Images to remove from every node of the cluster. Only the list with the name ${IMAGE_LIST_NAME} acts.`,
  schema,
  columns: [
    {
      name: 'Ready',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Ready")].status',
      description: 'Whether the list has been worked off.',
    },
    { name: 'Succeeded', type: 'integer', jsonPath: '.status.success', description: 'Nodes on which the last run succeeded.' },
    { name: 'Failed', type: 'integer', jsonPath: '.status.failed', description: 'Nodes on which the last run failed.' },
    { name: 'Skipped', type: 'integer', jsonPath: '.status.skipped', description: 'Nodes that the last run left out.' },
    {
      name: 'Removed',
      type: 'integer',
      jsonPath: '.status.removedImages',
      description: 'Images that the last run removed, over all nodes.',
    },
    { name: 'Freed Bytes', type: 'integer', jsonPath: '.status.reclaimedBytes', description: 'Bytes that this freed, over all nodes.' },
    { name: 'Last Run', type: 'date', jsonPath: '.status.timestamp', description: 'How long ago the last run ended.' },
    {
      name: 'Reason',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Ready")].reason',
      description: 'Why the list is ready, or is not.',
      wide: true,
    },
    AGE_COLUMN,
  ],
  conditions: IMAGE_LIST_CONDITIONS,
};
