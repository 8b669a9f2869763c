import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { ensureHelm } from './tools.ts';

export interface HelmResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** helm as an operator has it. `values`: what `--values -` reads, as an object. */
export type Helm = (args: readonly string[], values?: object) => Promise<HelmResult>;

/** It keeps all that it remembers in `home`. Without a `kubeconfig` it renders, and reaches no cluster. */
export async function helmWith({ home, kubeconfig }: { readonly home: string; readonly kubeconfig?: string }): Promise<Helm> {
  const helm = await ensureHelm();
  const env = { PATH: '/usr/bin:/bin', HOME: home, KUBECONFIG: kubeconfig ?? join(home, 'no-cluster') };
  return (args, values) =>
    new Promise((resolve) => {
      const withValues = values === undefined ? [] : ['--values', '-'];
      const child = execFile(helm, [...args, ...withValues], { env, maxBuffer: MOST_OUTPUT_BYTES }, (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : 128, stdout, stderr });
      });
      // It may refuse its arguments before it reads.
      child.stdin?.on('error', () => undefined);
      child.stdin?.end(values === undefined ? '' : JSON.stringify(values));
    });
}

const MOST_OUTPUT_BYTES = 16 * 1024 * 1024;
