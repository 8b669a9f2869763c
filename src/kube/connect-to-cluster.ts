import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { SYSTEM_TIMING, type Timing } from '../platform/timing.ts';
import type { AccessSource } from './cluster-access.ts';
import { inClusterAccess, isInCluster } from './in-cluster-access.ts';
import { KubeClient } from './kube-client.ts';
import { KubeError } from './kube-error.ts';
import type { KubeconfigSource } from './load-kubeconfig.ts';

export interface ClusterOptions {
  /** Named by the user, as `--kubeconfig`. */
  readonly kubeconfig?: string;
  /** As `--context`. */
  readonly context?: string;
  /** KUBECONFIG, HOME, KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are read. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly serviceAccountDirectory?: string;
  readonly userAgent: string;
  readonly wallNow: () => number;
  readonly timing?: Timing;
}

export interface Cluster {
  readonly client: KubeClient;
  /** The namespace that is meant when none is given. */
  readonly namespace: string;
}

/** Finds the cluster as kubectl does: the kubeconfig that was named, KUBECONFIG, ~/.kube/config, the pod's service account. No request is made. */
export async function connectToCluster(options: ClusterOptions): Promise<Cluster> {
  const access = await findAccess(options);
  const { userAgent, wallNow, timing } = options;
  const client = new KubeClient({ access, userAgent, wallNow, ...(timing === undefined ? {} : { timing }) });
  return { client, namespace: access.namespace };
}

async function findAccess({
  kubeconfig,
  context,
  environment,
  serviceAccountDirectory,
  timing = SYSTEM_TIMING,
}: ClusterOptions): Promise<AccessSource> {
  const chosen = context === undefined ? {} : { context };
  if (kubeconfig !== undefined) return kubeconfigAccess({ files: [kubeconfig], ...chosen });
  const named = (environment['KUBECONFIG'] ?? '').split(delimiter).filter((file) => file !== '');
  const home = environment['HOME'] ?? '';
  const files = named.length > 0 ? named : home === '' ? [] : [join(home, '.kube', 'config')];
  const present = await presentOf(files);
  if (present.length > 0) return kubeconfigAccess({ files: present, ...chosen });
  const inCluster = { environment, ...(serviceAccountDirectory === undefined ? {} : { directory: serviceAccountDirectory }) };
  if (context === undefined && (await isInCluster(inCluster))) return inClusterAccess({ ...inCluster, now: () => timing.now() });
  throw new KubeError({
    code: 'no-cluster',
    message: `No cluster: there is no kubeconfig${files.length === 0 ? '' : ` (${files.join(', ')})`}, and this is no pod with a service account`,
    hint: 'Name one with --kubeconfig or KUBECONFIG.',
  });
}

/** What reads kubeconfigs is megabytes of code, which a pod with a service account has no use for. */
async function kubeconfigAccess(source: KubeconfigSource): Promise<AccessSource> {
  const loaded = await import('./kubeconfig-access.ts');
  return loaded.kubeconfigAccess(source);
}

/** kubectl leaves out what is missing of KUBECONFIG, too. */
async function presentOf(files: readonly string[]): Promise<string[]> {
  const found = await Promise.all(
    files.map((file) =>
      access(file).then(
        () => [file],
        () => [],
      ),
    ),
  );
  return found.flat();
}
