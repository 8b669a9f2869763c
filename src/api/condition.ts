import * as z from 'zod';
import { count, timestamp } from './object-fields.ts';

/** A condition as every Kubernetes object has them (`metav1.Condition`), with the same limits. */
export const conditionSchema = z.object({
  type: z
    .string()
    .max(316)
    .regex(/^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$/)
    .meta({ description: 'Which condition it is.' }),
  status: z.enum(['True', 'False', 'Unknown']).meta({ description: 'Whether it holds.' }),
  observedGeneration: count
    .optional()
    .meta({ description: 'The generation of the object (`metadata.generation`) that this was found of.' }),
  lastTransitionTime: timestamp.meta({ description: 'When the status last changed.' }),
  reason: z
    .string()
    .min(1)
    .max(1024)
    .regex(/^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/)
    .meta({ description: 'Why the status is what it is, as one word for programs.' }),
  message: z.string().max(32_768).meta({ description: 'The same for people; may be empty.' }),
});

export type Condition = z.output<typeof conditionSchema>;

export interface ConditionMeaning {
  /** Which status is the good one: `normal-true` conditions are to be True, `abnormal-true` ones False or absent. */
  readonly polarity: 'normal-true' | 'abnormal-true';
  /** What True means, then what else does. */
  readonly meaning: string;
}

/** At most one of each type, so that several writers can each apply their own. Other types may be added. */
export function conditionsSchema(known: Readonly<Record<string, ConditionMeaning>>) {
  return z.array(conditionSchema).meta({
    description: `What is known of the state of the object, by type: ${Object.keys(known).join(', ')}.`,
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['type'],
  });
}
