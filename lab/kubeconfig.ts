import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Authority, Certificate } from './certificates.ts';

export interface KubeconfigContent {
  /** `https://127.0.0.1:23456`. */
  readonly url: string;
  readonly authority: Authority;
  readonly user: Certificate;
}

/** Writes a kubeconfig that needs no other file. In JSON, which is YAML too. */
export async function writeKubeconfig(path: string, { url, authority, user }: KubeconfigContent): Promise<string> {
  const base64 = async (file: string): Promise<string> => (await readFile(file)).toString('base64');
  const name = 'image-cleaner-lab';
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server: url, 'certificate-authority-data': await base64(authority.certificate) } }],
    users: [{ name, user: { 'client-certificate-data': await base64(user.certificate), 'client-key-data': await base64(user.key) } }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    'current-context': name,
  };
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeFile(path, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 });
  return path;
}
