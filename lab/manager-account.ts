import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SERVICE_ACCOUNTS } from '../src/installation/permissions.ts';
import { SERVICE_ACCOUNT_DIRECTORY } from '../src/kube/in-cluster-access.ts';
import type { ManagerKubeconfigOptions } from './manager-kubeconfig.ts';

type AccountOptions = Omit<ManagerKubeconfigOptions, 'through'>;

/** What a kubelet mounts into the manager's pod, in a folder: its token, for two hours, the CA of the API server and its namespace. Returns the folder. */
export async function writeManagerAccount({ done, namespace, home }: AccountOptions): Promise<string> {
  const folder = join(home, 'manager-account');
  const ca = await done(['config', 'view', '--raw', '--flatten', '-o', 'jsonpath={.clusters[0].cluster.certificate-authority-data}']);
  await mkdir(folder, { mode: 0o700 });
  await writeFile(join(folder, 'ca.crt'), Buffer.from(ca, 'base64'));
  await writeFile(join(folder, 'namespace'), namespace);
  await renewManagerToken(folder, { done, namespace });
  return folder;
}

/** Puts another token into the folder, which is valid until that secret is deleted, if one is given. */
export async function renewManagerToken(folder: string, { done, namespace }: Omit<AccountOptions, 'home'>, secret?: string): Promise<void> {
  const bound = secret === undefined ? [] : ['--bound-object-kind=Secret', `--bound-object-name=${secret}`];
  const token = await done(['create', 'token', '-n', namespace, SERVICE_ACCOUNTS.manager, '--duration=2h', ...bound]);
  await replaceFile(join(folder, 'token'), token.trim());
}

/** In one moment, as a kubelet does. */
export async function replaceFile(path: string, content: string): Promise<void> {
  await writeFile(`${path}.new`, content, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

/** Mounts the folder where a pod has its account, in a mount namespace of its own, and becomes the program. */
const IN_POD = `mount -t tmpfs tmpfs /run && mkdir -p ${SERVICE_ACCOUNT_DIRECTORY} && mount --bind "$1" ${SERVICE_ACCOUNT_DIRECTORY} && shift && exec "$@"`;

/** The arguments of `unshare`, which becomes that program in surroundings as in a pod of this account. Its environment names the API server (`podEnvironment`). */
export function asInPod(accountFolder: string, command: readonly string[]): string[] {
  return ['--mount', '--propagation=private', '--', '/bin/sh', '-c', IN_POD, 'sh', accountFolder, ...command];
}

/** Where a pod is told to find the API server. */
export function podEnvironment(server: string): Record<string, string> {
  const { hostname, port } = new URL(server);
  return { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port };
}
