import * as z from 'zod';
import { CONFIG_MAP_KEY, CONFIG_MAP_NAME } from '../api/eraser-config/config-map.ts';
import { CONFIG_MAPS } from '../kube/resource.ts';
import type { ClusterSite } from './cluster-site.ts';
import { ClusterError } from './cluster-error.ts';

/** The configmap of the configuration, as it was read. */
export interface StoredConfiguration {
  readonly resourceVersion: string;
  /** null: the configmap has no such key. */
  readonly text: string | null;
  readonly annotations: Readonly<Record<string, string>>;
}

const configMapSchema = z.object({
  metadata: z.object({ resourceVersion: z.string(), annotations: z.record(z.string(), z.string()).default({}) }),
  data: z.record(z.string(), z.string()).default({}),
});

/** A new value begins one automatic run. */
export const RUN_REQUESTED = 'eraser.sh/run-requested';

const referenceIn = (namespace: string) => ({ resource: CONFIG_MAPS, namespace, name: CONFIG_MAP_NAME });

/** null: there is none. */
export async function readConfiguration({ client, namespace, call }: ClusterSite): Promise<StoredConfiguration | null> {
  const found = await client.find(referenceIn(namespace), call);
  if (found === null) return null;
  const { metadata, data } = configMapSchema.parse(found);
  return { ...metadata, text: data[CONFIG_MAP_KEY] ?? null };
}

/** @throws ClusterError `not-installed` when there is none. */
export async function requireConfiguration(site: ClusterSite): Promise<StoredConfiguration & { readonly text: string }> {
  const stored = await readConfiguration(site);
  if (stored !== null && stored.text !== null) return { ...stored, text: stored.text };
  throw new ClusterError({
    code: 'not-installed',
    message: `There is no configuration in the namespace ${site.namespace}: no configmap ${CONFIG_MAP_NAME} with the key ${CONFIG_MAP_KEY}`,
    hint: 'To install: image-cleaner cluster enable. Installed elsewhere: name its namespace with -n.',
  });
}

/** null in an annotation takes it away. */
export interface ConfigurationChange {
  readonly text?: string;
  readonly annotations?: Readonly<Record<string, string | null>>;
}

/** Throws a `conflict` when somebody has changed it since it was read. */
export async function changeConfiguration(
  { client, namespace, call }: ClusterSite,
  { resourceVersion }: StoredConfiguration,
  { text, annotations }: ConfigurationChange,
): Promise<void> {
  const patch = {
    metadata: { resourceVersion, ...(annotations === undefined ? {} : { annotations }) },
    ...(text === undefined ? {} : { data: { [CONFIG_MAP_KEY]: text } }),
  };
  await client.patch(referenceIn(namespace), { strategy: 'merge', patch }, call);
}
