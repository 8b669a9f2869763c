import * as z from 'zod';

const metadataSchema = z.looseObject({
  name: z.string(),
  namespace: z.string().optional(),
  uid: z.string().optional(),
  resourceVersion: z.string().optional(),
});

/** Any object of the API, as it came: nothing is converted (times are RFC 3339 texts), and nothing dropped. */
export const kubeObjectSchema = z.looseObject({
  apiVersion: z.string().optional(),
  kind: z.string().optional(),
  metadata: metadataSchema,
});
export type KubeObject = z.infer<typeof kubeObjectSchema>;

export const listPageSchema = z.object({
  metadata: z.object({ resourceVersion: z.string().default(''), continue: z.string().default('') }),
  // Go writes an empty list of some resources as null.
  items: z
    .array(kubeObjectSchema)
    .nullish()
    .transform((items) => items ?? []),
});

/** Names an object within its resource: `namespace/name`, or the name alone where there are no namespaces. */
export function keyOf({ metadata: { namespace, name } }: KubeObject): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/** Reads a key back. */
export function parseKey(key: string): { readonly namespace?: string; readonly name: string } {
  const slash = key.indexOf('/');
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}
