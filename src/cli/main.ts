#!/usr/bin/env node
import { homedir, availableParallelism, freemem, tmpdir } from 'node:os';
import packageJson from '../../package.json' with { type: 'json' };
import { EXIT } from './exit-codes.ts';
import { runProgram } from './program.ts';

const OLDEST_NODE = 24;
if (Number.parseInt(process.versions.node, 10) < OLDEST_NODE) {
  process.stderr.write(`error: image-cleaner needs Node ${String(OLDEST_NODE)} or later; this is ${process.versions.node}\n`);
  process.exit(EXIT.failed);
}

const interrupt = new AbortController();
// SIGHUP: the terminal is gone, and nobody will see what comes; the scanners must end all the same.
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(name, () => {
    if (interrupt.signal.aborted) process.exit(EXIT.interrupted);
    process.stderr.write('\nStopping after what is in hand; once more to stop at once.\n');
    interrupt.abort(new Error(`stopped by ${name}`));
  });
}
// Nothing that happens to the output ends a run in the middle of its removals: a closed pipe (`| head`) is the reader's wish, a full disk
// under the log what this program is there to cure. Lost data makes the run a failure at its end.
const lost: { data: NodeJS.ErrnoException | null } = { data: null };
process.stderr.on('error', () => undefined);
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') lost.data = error;
});

/** The memory that this process may use, by its cgroup where that has a limit. */
function usableMemory(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 && constrained < freemem() ? constrained : freemem();
}

const code = await runProgram(
  {
    env: process.env,
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    now: Date.now,
    signal: interrupt.signal,
    machine: { memoryBytes: usableMemory(), cpus: availableParallelism(), temporaryDirectory: tmpdir(), homeDirectory: homedir() },
  },
  process.argv.slice(2),
  packageJson.version,
);
process.exitCode = code;
process.once('beforeExit', () => {
  if (lost.data === null) return;
  process.stderr.write(`error: standard output was lost: ${lost.data.message}\n`);
  if (code === EXIT.done) process.exitCode = EXIT.failed;
});
