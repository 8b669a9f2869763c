import { access, readFile } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import { join } from 'node:path';
import { errorMessage } from '../platform/errors.ts';
import type { AccessSource, ClusterAccess } from './cluster-access.ts';
import { KubeError } from './kube-error.ts';

/** Where the kubelet mounts the service account of a pod. */
export const SERVICE_ACCOUNT_DIRECTORY = '/var/run/secrets/kubernetes.io/serviceaccount';

export interface PodSurroundings {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly directory?: string;
}

export interface InClusterOptions extends PodSurroundings {
  /** Milliseconds, on a clock that nobody can set. */
  readonly now: () => number;
}

/** Whether this process runs in a pod that has a service account. */
export async function isInCluster({ environment, directory = SERVICE_ACCOUNT_DIRECTORY }: PodSurroundings): Promise<boolean> {
  if (serverOf(environment) === null) return false;
  return access(join(directory, 'token')).then(
    () => true,
    () => false,
  );
}

/** The kubelet replaces a token when a fifth of its life is left, which is minutes at least. */
const FILES_AGE_MS = 10_000;

/** The access of a pod's service account. Token and CA are read anew every few seconds, and after a refusal: the kubelet replaces them in place. */
export async function inClusterAccess(options: InClusterOptions): Promise<AccessSource> {
  const { environment, directory = SERVICE_ACCOUNT_DIRECTORY, now } = options;
  const server = serverOf(environment);
  if (server === null) {
    throw new KubeError({
      code: 'no-cluster',
      message: 'KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set',
      hint: 'Run in a pod, or name a kubeconfig.',
    });
  }
  const namespace = (await readMounted(directory, 'namespace')).trim();
  let latest: { readonly access: ClusterAccess; readonly at: number } | null = null;
  const current = async (): Promise<ClusterAccess> => {
    const at = now();
    if (latest !== null && at - latest.at < FILES_AGE_MS) return latest.access;
    const [ca, token] = await Promise.all([readMounted(directory, 'ca.crt'), readMounted(directory, 'token')]);
    latest = { access: { server, tls: { ca }, headers: { authorization: `Bearer ${token.trim()}` } }, at };
    return latest.access;
  };
  const renew = (refused: ClusterAccess): void => {
    if (latest?.access === refused) latest = null;
  };
  return { server, namespace, current, renew };
}

function serverOf(environment: PodSurroundings['environment']): string | null {
  const host = environment['KUBERNETES_SERVICE_HOST'] ?? '';
  const port = environment['KUBERNETES_SERVICE_PORT'] ?? '';
  if (host === '' || port === '') return null;
  return `https://${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

async function readMounted(directory: string, name: string): Promise<string> {
  const file = join(directory, name);
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new KubeError({
      code: 'credentials-failed',
      action: 'retry',
      message: `Cannot read the service account's ${file}: ${errorMessage(error)}`,
      hint: 'The pod needs a service account, and automountServiceAccountToken must not be false.',
      cause: error,
      notExecuted: true,
    });
  }
}
