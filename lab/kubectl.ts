import { execFile } from 'node:child_process';
import { ensureKubernetes } from './kubernetes.ts';

export interface KubectlResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** kubectl as an operator has it, with a configuration file. `input`: what `-f -` reads, as it is or an object as JSON. */
export type Kubectl = (args: readonly string[], input?: string | object) => Promise<KubectlResult>;

export interface KubectlSetting {
  readonly kubeconfig: string;
  readonly home: string;
  /** Folders with programs that kubectl may run. */
  readonly plugins?: readonly string[];
}

/** kubectl writes what it learned of the API server into `home`, and would take it for the truth for ten minutes. */
export async function kubectlWith({ kubeconfig, home, plugins = [] }: KubectlSetting): Promise<Kubectl> {
  const { kubectl } = await ensureKubernetes(() => undefined);
  const env = { PATH: [...plugins, '/usr/bin', '/bin'].join(':'), HOME: home, KUBECONFIG: kubeconfig };
  return (args, input) =>
    new Promise((resolve) => {
      const child = execFile(kubectl, [...args], { env, maxBuffer: MOST_OUTPUT_BYTES }, (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : 128, stdout, stderr });
      });
      // A refusal may come before all of it is read.
      child.stdin?.on('error', () => undefined);
      child.stdin?.end(typeof input === 'object' ? JSON.stringify(input) : input);
    });
}

/** A list of 10,000 images is a megabyte. */
const MOST_OUTPUT_BYTES = 16 * 1024 * 1024;
