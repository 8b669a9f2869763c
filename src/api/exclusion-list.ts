import * as z from 'zod';

/** The JSON of an exclusion list, as in a configmap labelled `eraser.sh/exclude.list=true`: `{"excluded": ["ghcr.io/acme/*"]}`. */
export const exclusionListSchema = z.strictObject({ excluded: z.array(z.string().min(1, 'an entry is empty')) });

/** A list with a name that a decision can cite: a file, a flag, a configmap and key. */
export interface ExclusionList {
  readonly name: string;
  readonly entries: readonly string[];
}
