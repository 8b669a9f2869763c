import * as z from 'zod';
import type { ConditionMeaning } from './condition.ts';
import { objectMetaSchema } from './object-fields.ts';

export const API_GROUP = 'eraser.sh';

/** The versions of the kinds below, all of one shape. New objects are stored as the first. */
export const RESOURCE_VERSIONS = [
  { name: 'v1', deprecated: false },
  { name: 'v1alpha1', deprecated: true },
] as const;

/** A kind of object that the API server keeps for us; its definition (CRD) and its reference page are made of this. */
export interface CustomResource {
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  /** What the kind is for, in a sentence or two. */
  readonly description: string;
  /** Of a whole object, as `customResourceSchema` makes it. */
  readonly schema: z.ZodObject;
  readonly columns: readonly PrinterColumn[];
  /** By type. */
  readonly conditions: Readonly<Record<string, ConditionMeaning>>;
}

/** A column of `kubectl get`. */
export interface PrinterColumn {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'date';
  /** A JSON path as kubectl has it, from the object's root: `.status.phase`. */
  readonly jsonPath: string;
  readonly description: string;
  /** Shown only by `kubectl get -o wide`. */
  readonly wide?: boolean;
}

export const AGE_COLUMN: PrinterColumn = {
  name: 'Age',
  type: 'date',
  jsonPath: '.metadata.creationTimestamp',
  description: 'How long ago the object was created.',
};

/**
 * A whole object of a kind, in any of its versions, with these parts beside its metadata. Fields that are not known are left out rather than
 * refused: a newer version may have written them.
 */
export function customResourceSchema<Kind extends string, Parts extends z.ZodRawShape>(kind: Kind, parts: Parts) {
  return z.object({
    apiVersion: z.enum(RESOURCE_VERSIONS.map(({ name }) => `${API_GROUP}/${name}` as const)),
    kind: z.literal(kind),
    metadata: objectMetaSchema,
    ...parts,
  });
}
