import { readFile } from 'node:fs/promises';
import type { RequestOptions } from 'node:https';
import { errorMessage } from '../platform/errors.ts';
import type { AccessSource, ClusterAccess, TlsSettings } from './cluster-access.ts';
import { KubeError } from './kube-error.ts';
import { type KubeconfigSource, type LoadedKubeconfig, loadKubeconfig } from './load-kubeconfig.ts';

/**
 * The access that a kubeconfig gives: token, token file, client certificate, password, exec plugin, OIDC, as client-node does them. All
 * requests of one moment share one answer, so that a plugin runs once. After a refusal the files are read anew, and a plugin is run again.
 */
export async function kubeconfigAccess(source: KubeconfigSource): Promise<AccessSource> {
  let loaded: LoadedKubeconfig | null = await loadKubeconfig(source);
  let underWay: Promise<ClusterAccess> | null = null;
  let latest: ClusterAccess | null = null;
  const { server, namespace } = loaded;
  const read = async (): Promise<ClusterAccess> => {
    loaded ??= await loadKubeconfig(source);
    latest = await accessOf(loaded, source);
    return latest;
  };
  return {
    server,
    namespace,
    current: () => (underWay ??= read().finally(() => (underWay = null))),
    renew: (refused) => {
      if (latest !== null && latest.headers['authorization'] === refused.headers['authorization']) loaded = null;
    },
  };
}

async function accessOf({ config, server, tokenFile }: LoadedKubeconfig, source: KubeconfigSource): Promise<ClusterAccess> {
  const options: RequestOptions & { servername?: string } = {};
  try {
    await config.applyToHTTPSOptions(options);
    const headers = lowerCased(options.headers);
    if (typeof options.auth === 'string') headers['authorization'] ??= `Basic ${Buffer.from(options.auth).toString('base64')}`;
    if (tokenFile !== undefined) headers['authorization'] = `Bearer ${(await readFile(tokenFile, 'utf8')).trim()}`;
    const proxyUrl = config.getCurrentCluster()?.proxyUrl;
    return { server, tls: tlsOf(options), headers, ...(proxyUrl === undefined ? {} : { proxyUrl }) };
  } catch (error) {
    throw new KubeError({
      code: 'credentials-failed',
      action: 'retry',
      message: `kubeconfig ${source.files.join(', ')}: no credentials for ${server}: ${errorMessage(error).trim()}`,
      hint: 'Check that the plugin, token file or certificate that the kubeconfig names works: `kubectl auth whoami` uses the same.',
      cause: error,
      notExecuted: true,
    });
  }
}

function lowerCased(headers: RequestOptions['headers']): Record<string, string> {
  return Object.fromEntries(Object.entries(headers ?? {}).map(([name, value]) => [name.toLowerCase(), String(value)]));
}

function tlsOf({ ca, cert, key, servername, rejectUnauthorized }: RequestOptions & { servername?: string }): TlsSettings {
  return {
    ...(ca === undefined ? {} : { ca: pem(ca) }),
    ...(cert === undefined ? {} : { cert: pem(cert) }),
    ...(key === undefined ? {} : { key: pem(key) }),
    ...(servername === undefined ? {} : { servername }),
    ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }),
  };
}

/** client-node gives Buffers of files and data, and texts of plugins. */
function pem(value: RequestOptions['ca'] | RequestOptions['key']): string {
  return [value]
    .flat()
    .map((part) => (typeof part === 'string' ? part : Buffer.isBuffer(part) ? part.toString('utf8') : ''))
    .join('\n');
}
