import type { KubeClient } from '../kube/kube-client.ts';
import type { CallOptions } from '../kube/api-connection.ts';

/** An installation in a cluster, or the place of one to be: what everything that an operator does to it from outside is given. */
export interface ClusterSite {
  readonly client: KubeClient;
  /** Of the installation. */
  readonly namespace: string;
  /** For every call. Ends with the interrupt; while the API server is away a call is repeated for a few seconds, for somebody waits. */
  readonly call: CallOptions;
}
