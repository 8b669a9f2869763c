import * as z from 'zod';

/** `POST /v1/runs/{job}/nodes/{node}/inventory`: what is on the node, and in answer what is known of these images, this time included. */

/** The runtime's own form of it. Two forms of one id are not told apart here. */
export const imageIdSchema = z.string().min(1).max(512);

export const bytes = z.number().nonnegative();
/** Milliseconds since the epoch; a clock may be set to before. */
export const timeMs = z.number();
const texts = z.array(z.string());

const nodeImageSchema = z.object({
  id: imageIdSchema,
  repoTags: texts,
  repoDigests: texts,
  sizeBytes: bytes,
  pinned: z.boolean(),
});

const nodeContainerSchema = z.object({
  id: z.string(),
  name: z.string(),
  state: z.enum(['created', 'running', 'exited', 'unknown']),
  podNamespace: z.string(),
  podName: z.string(),
  imageReferences: texts,
  volumeImageReferences: texts,
});

export const runtimeVersionSchema = z.object({ name: z.string(), version: z.string() });

export const filesystemUsageSchema = z.object({
  mountpoint: z.string(),
  usedBytes: bytes,
  availableBytes: bytes,
  capacityBytes: bytes,
});

export const inventoryRequestSchema = z.object({
  inventory: z.object({
    runtime: runtimeVersionSchema,
    images: z.array(nodeImageSchema),
    containers: z.array(nodeContainerSchema),
    sandboxImageReferences: texts.nullable(),
  }),
  /** The ids of the images that something uses now: containers and, as far as who tells has asked for them, pods that have none yet. */
  inUse: z.array(imageIdSchema),
  /** The filesystem that holds the images; null: it cannot be read from there. */
  filesystem: filesystemUsageSchema.nullable(),
});
export type InventoryReport = z.output<typeof inventoryRequestSchema>;

export const inventoryAnswerSchema = z.object({
  /** What the clock says that the times below are by. A node's clock may differ: only their distance from this counts. */
  now: timeMs,
  /** An image without an entry was never seen before, as far as is known. */
  histories: z.array(z.object({ imageId: imageIdSchema, firstSeenAt: timeMs, lastInUseAt: timeMs.nullable() })),
});
export type InventoryAnswer = z.output<typeof inventoryAnswerSchema>;
