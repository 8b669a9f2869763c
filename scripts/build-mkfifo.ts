import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const SOURCE = fileURLToPath(new URL('../src/worker/mkfifo', import.meta.url));

/** Node's names of processors, in Go's. */
const GO_ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/** Builds the helper by which a worker makes named pipes: static, since there may be nothing else in its container. false: there is no Go. */
export async function buildMkfifo(output: string, architecture: string = process.arch): Promise<boolean> {
  const env = {
    ...process.env,
    PATH: `${process.env['PATH'] ?? ''}:/usr/local/go/bin`,
    CGO_ENABLED: '0',
    GOOS: 'linux',
    GOARCH: GO_ARCHITECTURES[architecture] ?? architecture,
    GOTOOLCHAIN: 'local',
    GOWORK: 'off',
    GOFLAGS: '-buildvcs=false',
  };
  try {
    await promisify(execFile)('go', ['build', '-trimpath', '-ldflags', '-s -w', '-o', output, '.'], { cwd: SOURCE, env });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
