import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { waitUntil } from '../../lab/wait-until.ts';

/** As the sidecar of the controller: on loopback, without a token. */
export class TrivyServerInTest {
  readonly url: string;
  readonly #process: ChildProcess;

  private constructor(url: string, process: ChildProcess) {
    this.url = url;
    this.#process = process;
  }

  static async start(trivy: string, cacheDir: string): Promise<TrivyServerInTest> {
    // On a port that was free a moment ago.
    const probe = createServer().listen(0, '127.0.0.1');
    await once(probe, 'listening');
    const { port } = probe.address() as AddressInfo;
    probe.close();
    const url = `http://127.0.0.1:${port}`;
    const args = ['server', '--listen', `127.0.0.1:${port}`, '--cache-dir', cacheDir, '--cache-backend', 'memory', '--skip-db-update'];
    const process = spawn(trivy, args, { cwd: tmpdir(), env: { PATH: '/usr/bin:/bin', HOME: tmpdir() }, stdio: 'ignore' });
    await waitUntil('Trivy’s server answers', async () => (await fetch(`${url}/healthz`).catch(() => null))?.ok === true);
    return new TrivyServerInTest(url, process);
  }

  async stop(): Promise<void> {
    const ended = once(this.#process, 'exit');
    this.#process.kill('SIGTERM');
    await ended;
  }
}
