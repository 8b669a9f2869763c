import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { inject } from 'vitest';
import './prepared.ts';

/** The program as users run it; the global set-up builds it. */
export const CLI = fileURLToPath(new URL('../../dist/image-cleaner.mjs', import.meta.url));

export interface ClusterCliResult {
  /** null: ended by a signal. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ClusterCli {
  readonly child: ChildProcess;
  readonly result: Promise<ClusterCliResult>;
  /** Resolves when standard error has shown the text. */
  readonly seen: (text: string) => Promise<void>;
}

/** `image-cleaner cluster …` as a process of its own, without a terminal, on the shared cluster, unless another kubeconfig is given. */
export function startClusterCli(args: readonly string[], kubeconfig = inject('prepared').cluster.kubeconfig): ClusterCli {
  const child = spawn(process.execPath, [CLI, 'cluster', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: '/usr/bin:/bin', HOME: '/nonexistent', KUBECONFIG: kubeconfig },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const result = new Promise<ClusterCliResult>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
  const seen = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (stderr.includes(text)) resolve();
      };
      look();
      child.stderr.on('data', look);
      void result.then(() => reject(new Error(`ended without "${text}":\n${stderr}`)));
    });
  return { child, result, seen };
}

export function runClusterCli(args: readonly string[], kubeconfig?: string): Promise<ClusterCliResult> {
  return startClusterCli(args, kubeconfig).result;
}
