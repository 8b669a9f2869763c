import { fileURLToPath } from 'node:url';
import { runCommand } from '../../lab/run-command.ts';

/** Builds the custom scanner beside this file, which is in Go as those of Eraser's users are. */
export async function buildEraserScanner(output: string): Promise<string> {
  const env = {
    ...process.env,
    PATH: `${process.env['PATH'] ?? ''}:/usr/local/go/bin`,
    CGO_ENABLED: '0',
    GOTOOLCHAIN: 'local',
    GOWORK: 'off',
  };
  await runCommand('go', ['build', '-buildvcs=false', '-o', output, '.'], { cwd: fileURLToPath(new URL('.', import.meta.url)), env });
  return output;
}
