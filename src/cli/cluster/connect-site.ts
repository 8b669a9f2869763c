import type { ClusterSite } from '../../cluster/cluster-site.ts';
import { findNamespace } from '../../cluster/find-namespace.ts';
import { connectToCluster } from '../../kube/connect-to-cluster.ts';
import type { CliContext } from '../context.ts';
import type { ClusterOptions } from './cluster-options.ts';

/** Somebody waits: longer than a hiccup of the API server it is not waited for. */
const RETRY_BUDGET_MS = 5_000;
const DEADLINE_MS = 15_000;

/** Connects as kubectl would, does what is asked, and closes the connection. */
export async function withSite<Result>(
  context: CliContext,
  { kubeconfig, context: kubeContext, namespace }: ClusterOptions,
  work: (site: ClusterSite) => Promise<Result>,
): Promise<Result> {
  const { client } = await connectToCluster({
    ...(kubeconfig === undefined ? {} : { kubeconfig }),
    ...(kubeContext === undefined ? {} : { context: kubeContext }),
    environment: { HOME: context.machine.homeDirectory, ...context.env },
    userAgent: `image-cleaner/${context.version}`,
    wallNow: context.now,
  });
  const call = { signal: context.signal, retryBudgetMs: RETRY_BUDGET_MS, deadlineMs: DEADLINE_MS };
  try {
    return await work({ client, namespace: namespace ?? (await findNamespace(client, call)), call });
  } finally {
    await client.close();
  }
}
