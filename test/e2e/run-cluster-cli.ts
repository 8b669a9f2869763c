import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const CLI = fileURLToPath(new URL('../../dist/image-cleaner.mjs', import.meta.url));

export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** `image-cleaner cluster …` as an operator runs it: the built program, a process of its own, a kubeconfig in the environment. */
export function runClusterCli(kubeconfig: string, args: readonly string[]): Promise<CliResult> {
  const env = { PATH: '/usr/bin:/bin', HOME: '/nonexistent', KUBECONFIG: kubeconfig };
  return new Promise((resolve) => {
    execFile(process.execPath, [CLI, 'cluster', ...args], { env, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : 128, stdout, stderr });
    });
  });
}
