#!/usr/bin/env node
import { homedir, availableParallelism, freemem, tmpdir } from 'node:os';
import packageJson from '../../package.json' with { type: 'json' };
import { EXIT } from './exit-codes.ts';
import { runProgram } from './program.ts';

const interrupt = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.on(name, () => {
    if (interrupt.signal.aborted) process.exit(EXIT.interrupted);
    process.stderr.write('\nStopping after what is in hand; once more to stop at once.\n');
    interrupt.abort(new Error(`stopped by ${name}`));
  });
}
// A closed pipe (`| head`) ends the output, never the run.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

/** The memory that this process may use, by its cgroup where that has a limit. */
function usableMemory(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 && constrained < freemem() ? constrained : freemem();
}

process.exitCode = await runProgram(
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
