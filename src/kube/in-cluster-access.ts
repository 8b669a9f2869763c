import { access, readFile } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import { join } from 'node:path';
import { errorMessage } from '../platform/errors.ts';
import type { AccessSource, ClusterAccess } from './cluster-access.ts';
import { KubeError } from './kube-error.ts';

/** Where the kubelet mounts the service account of a pod. */
export const SERVICE_ACCOUNT_DIRECTORY = '/var/run/secrets/kubernetes.io/serviceaccount';

export interface InClusterOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly directory?: string;
}

/** Whether this process runs in a pod that has a service account. */
export async function isInCluster({ environment, directory = SERVICE_ACCOUNT_DIRECTORY }: InClusterOptions): Promise<boolean> {
  if (serverOf(environment) === null) return false;
  return access(join(directory, 'token')).then(
    () => true,
    () => false,
  );
}

/**
 * The access of a pod's service account. Token and CA are read anew for each request: the kubelet replaces them in place, and a file in
 * memory costs less than a refused request.
 */
export async function inClusterAccess(options: InClusterOptions): Promise<AccessSource> {
  const { environment, directory = SERVICE_ACCOUNT_DIRECTORY } = options;
  const server = serverOf(environment);
  if (server === null) {
    throw new KubeError({
      code: 'no-cluster',
      message: 'KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set',
      hint: 'Run in a pod, or name a kubeconfig.',
    });
  }
  const namespace = (await readMounted(directory, 'namespace')).trim();
  const current = async (): Promise<ClusterAccess> => {
    const [ca, token] = await Promise.all([readMounted(directory, 'ca.crt'), readMounted(directory, 'token')]);
    return { server, tls: { ca }, headers: { authorization: `Bearer ${token.trim()}` } };
  };
  return { server, namespace, current, renew: () => undefined };
}

function serverOf(environment: InClusterOptions['environment']): string | null {
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
