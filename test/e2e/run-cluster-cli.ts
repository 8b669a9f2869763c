import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { inject } from 'vitest';

/** The program as users run it; the global set-up builds it. */
const CLI = fileURLToPath(new URL('../../dist/image-cleaner.mjs', import.meta.url));

export interface ClusterCliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** `image-cleaner cluster …` on the shared cluster, unless another kubeconfig is given; without a terminal. */
export function runClusterCli(args: readonly string[], kubeconfig = inject('prepared').cluster.kubeconfig): Promise<ClusterCliResult> {
  const env = { PATH: '/usr/bin:/bin', HOME: '/nonexistent' };
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      [CLI, 'cluster', ...args, '--kubeconfig', kubeconfig],
      { env, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) => {
        if (error === null) resolve({ code: 0, stdout, stderr });
        else if (typeof error.code === 'number') resolve({ code: error.code, stdout, stderr });
        else reject(new Error('ended by a signal', { cause: error }));
      },
    );
  });
}
