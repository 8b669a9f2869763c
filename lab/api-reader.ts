import type * as z from 'zod';
import { connectToCluster } from '../src/kube/connect-to-cluster.ts';

/**
 * What a cluster has, as `kubectl get --raw` gives it, but over one connection: asked many times a second, a kubectl each time would use more of a
 * processor than all that it looks at.
 */
export interface ApiReader {
  /** The JSON at a path, which may have a query. Throws when the API server gives none, at once. */
  read<Schema extends z.ZodType>(schema: Schema, path: string): Promise<z.output<Schema>>;
  close(): Promise<void>;
}

export async function connectReader(kubeconfig: string): Promise<ApiReader> {
  const { client } = await connectToCluster({ kubeconfig, environment: {}, userAgent: 'image-cleaner-lab', wallNow: Date.now });
  const call = { signal: new AbortController().signal, retryBudgetMs: 0 };
  return {
    read: async (schema, path) => schema.parse(await client.getPath(path, call)),
    close: () => client.close(),
  };
}

/** Of ImageLists or ImageJobs, or of one of them. */
export function kindPath(plural: 'imagelists' | 'imagejobs', name?: string): string {
  return ['/apis/eraser.sh/v1', plural, ...(name === undefined ? [] : [name])].join('/');
}

/** Of objects of the core group in a namespace, by labels if given. */
export function corePath(namespace: string, plural: string, labelSelector?: string): string {
  const query = labelSelector === undefined ? '' : `?${new URLSearchParams({ labelSelector }).toString()}`;
  return `/api/v1/namespaces/${namespace}/${plural}${query}`;
}
