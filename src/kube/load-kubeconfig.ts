import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { KubeConfig } from '@kubernetes/client-node';
import * as z from 'zod';
import { errorMessage } from '../platform/errors.ts';
import { KubeError } from './kube-error.ts';

export interface KubeconfigSource {
  /** The first that names a cluster, user or context wins, as for kubectl. */
  readonly files: readonly string[];
  /** Empty: the current one. */
  readonly context?: string;
}

export interface LoadedKubeconfig {
  readonly config: KubeConfig;
  readonly server: string;
  readonly namespace: string;
  /** Of the user: client-node does not know the field. */
  readonly tokenFile: string | undefined;
}

const userSchema = z.looseObject({
  name: z.string(),
  user: z.looseObject({ tokenFile: z.string().optional() }).nullish(),
});
const fileSchema = z.looseObject({ users: z.array(userSchema).nullish() });

/** Fields that change who one is; what was left out would act as somebody else. */
const NOT_SUPPORTED = ['as-groups', 'as-uid', 'as-user-extra'];

/** Reads kubeconfig files as kubectl does. client-node is loaded here and not before: it takes tens of megabytes, and no pod needs it. */
export async function loadKubeconfig({ files, context }: KubeconfigSource): Promise<LoadedKubeconfig> {
  const { KubeConfig, loadYaml } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  const tokenFiles = new Map<string, string>();
  for (const file of files) {
    const text = await readFile(file, 'utf8').catch((error: unknown) => Promise.reject(invalid(file, errorMessage(error), error)));
    try {
      const part = new KubeConfig();
      part.loadFromString(text);
      part.makePathsAbsolute(dirname(file));
      for (const user of fileSchema.parse(loadYaml(text)).users ?? []) {
        if (config.users.some(({ name }) => name === user.name)) continue;
        const unsupported = NOT_SUPPORTED.filter((field) => user.user?.[field] !== undefined);
        if (unsupported.length > 0) throw new Error(`user ${user.name}: ${unsupported.join(', ')} is not supported`);
        if (user.user?.tokenFile !== undefined) tokenFiles.set(user.name, resolve(dirname(file), user.user.tokenFile));
      }
      mergeBelow(config, part);
    } catch (error) {
      throw invalid(file, errorMessage(error), error);
    }
  }
  return choose(config, { tokenFiles, context, source: files.join(', ') });
}

interface Choice {
  readonly tokenFiles: ReadonlyMap<string, string>;
  readonly context: string | undefined;
  readonly source: string;
}

function choose(config: KubeConfig, { tokenFiles, context, source }: Choice): LoadedKubeconfig {
  if (context !== undefined) config.setCurrentContext(context);
  const name = config.getCurrentContext();
  // Empty, or absent, in a file without a current context.
  if (!name) throw invalid(source, 'there is no current context; name one');
  const chosen = config.getContextObject(name);
  if (chosen === null) {
    const known = config.contexts.map((each) => each.name).join(', ');
    throw invalid(source, `there is no context "${name}", only: ${known === '' ? '(none)' : known}`);
  }
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw invalid(source, `context "${name}": there is no cluster "${chosen.cluster}"`);
  const user = config.getCurrentUser();
  if (user === null) throw invalid(source, `context "${name}": there is no user "${chosen.user}"`);
  if (!cluster.server.startsWith('https://') && !cluster.skipTLSVerify) {
    throw invalid(
      source,
      `cluster "${cluster.name}": without https, credentials and answers are anybody's; insecure-skip-tls-verify allows it`,
    );
  }
  if (cluster.proxyUrl !== undefined && !/^https?:/.test(cluster.proxyUrl)) {
    throw invalid(source, `cluster "${cluster.name}": only http and https are supported in proxy-url`);
  }
  return { config, server: cluster.server, namespace: chosen.namespace ?? 'default', tokenFile: tokenFiles.get(user.name) };
}

/** Adds what `config` has no entry of that name of. */
function mergeBelow(config: KubeConfig, part: KubeConfig): void {
  config.clusters = [...config.clusters, ...part.clusters.filter(({ name }) => !config.clusters.some((have) => have.name === name))];
  config.users = [...config.users, ...part.users.filter(({ name }) => !config.users.some((have) => have.name === name))];
  config.contexts = [...config.contexts, ...part.contexts.filter(({ name }) => !config.contexts.some((have) => have.name === name))];
  if (!config.currentContext) config.setCurrentContext(part.currentContext);
}

function invalid(source: string, what: string, cause?: unknown): KubeError {
  return new KubeError({
    code: 'invalid-kubeconfig',
    message: `kubeconfig ${source}: ${what}`,
    hint: 'Compare with `kubectl config view` and `kubectl config get-contexts`.',
    cause,
    notExecuted: true,
  });
}
