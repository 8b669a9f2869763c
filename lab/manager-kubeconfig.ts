import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SERVICE_ACCOUNTS } from '../src/installation/permissions.ts';

export interface ManagerKubeconfigOptions {
  /** What kubectl prints, as an administrator; rejects when it fails. */
  readonly done: (args: readonly string[]) => Promise<string>;
  readonly namespace: string;
  /** The folder for the file. */
  readonly home: string;
  /** The URL by which the API server is reached; without it, as the administrator does. */
  readonly through?: string;
}

/** A kubeconfig of the manager's service account, for a manager that runs outside the cluster with exactly its rights. Good for two hours. */
export function writeManagerKubeconfig(options: ManagerKubeconfigOptions): Promise<string> {
  return writeAccountKubeconfig(SERVICE_ACCOUNTS.manager, options);
}

/** As for the manager, of any service account. */
export async function writeAccountKubeconfig(
  account: string,
  { done, namespace, home, through }: ManagerKubeconfigOptions,
): Promise<string> {
  const token = (await done(['create', 'token', '-n', namespace, account, '--duration=2h'])).trim();
  const config = JSON.parse(await done(['config', 'view', '--raw', '--flatten', '-o', 'json'])) as {
    users: { user: object }[];
    clusters: object[];
  };
  const file = join(home, `${account}-kubeconfig`);
  const users = config.users.map((user) => ({ ...user, user: { token } }));
  const clusters =
    through === undefined
      ? config.clusters
      : config.clusters.map((cluster) => ({ ...cluster, cluster: { server: through, 'insecure-skip-tls-verify': true } }));
  await writeFile(file, JSON.stringify({ ...config, users, clusters }), { mode: 0o600 });
  return file;
}
