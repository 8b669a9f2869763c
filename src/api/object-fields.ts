import * as z from 'zod';

/** The schemas that the fields of Kubernetes objects are made of, as raw JSON has them: a time is a string (RFC 3339). */

export const timestamp = z.iso.datetime({ offset: true });

export const count = z.int().nonnegative();

/** A number that Eraser's definitions leave unbounded, and that stays so: what is valid there is valid here. */
export const unboundedCount = z.int();

/** What is read of the metadata of an object that the API server gave; it fills in all that is not optional here. */
export const objectMetaSchema = z.object({
  name: z.string(),
  uid: z.string(),
  resourceVersion: z.string(),
  /** Grows with every change of the spec. */
  generation: count,
  creationTimestamp: timestamp,
  deletionTimestamp: timestamp.optional(),
  labels: z.record(z.string(), z.string()).default({}),
  annotations: z.record(z.string(), z.string()).default({}),
});

export type ObjectMeta = z.output<typeof objectMetaSchema>;
