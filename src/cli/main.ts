#!/usr/bin/env node
import { fstatSync } from 'node:fs';
import { basename } from 'node:path';
import { homedir, availableParallelism, freemem, hostname, tmpdir } from 'node:os';
import { isatty } from 'node:tty';
import packageJson from '../../package.json' with { type: 'json' };
import { readBootClock } from '../platform/boot-clock.ts';
import { EXIT } from './exit-codes.ts';
import { FileOutput } from './output/file-output.ts';
import { runProgram } from './program.ts';

const OLDEST_NODE = 24;
if (Number.parseInt(process.versions.node, 10) < OLDEST_NODE) {
  process.stderr.write(`error: image-cleaner needs Node ${String(OLDEST_NODE)} or later; this is ${process.versions.node}\n`);
  process.exit(EXIT.failed);
}

const interrupt = new AbortController();
// SIGHUP: the terminal is gone, and nobody will see what comes; the scanners must end all the same.
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(name, () => stop(name));
}
function stop(because: NodeJS.Signals): void {
  if (interrupt.signal.aborted) process.exit(EXIT.interrupted);
  process.stderr.write('\nStopping after what is in hand; once more to stop at once.\n');
  interrupt.abort(new Error(`stopped by ${because}`));
}

// Nothing that happens to the output ends a run in the middle of its removals: a closed pipe (`| head`) is the reader's wish, a full disk
// under the log what this program is there to cure. Lost data makes the run a failure at its end.
const lost: { data: NodeJS.ErrnoException | null } = { data: null };
const hasReader = { stdout: true, stderr: true };
process.stderr.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') hasReader.stderr = false;
});
const stdout = isFile(process.stdout.fd) ? new FileOutput(process.stdout.fd) : process.stdout;
stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') hasReader.stdout = false;
  else lost.data = error;
});

/** Also a device such as /dev/full; a terminal is none. */
function isFile(descriptor: number): boolean {
  const stats = fstatSync(descriptor);
  return stats.isFile() || (stats.isCharacterDevice() && !isatty(descriptor));
}

/** The memory that this process may use, by its cgroup where that has a limit. */
function usableMemory(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 && constrained < freemem() ? constrained : freemem();
}

const code = await runProgram({
  env: process.env,
  // Node makes it when it is first asked for, which takes longer than most commands need for their input: none.
  get stdin() {
    return process.stdin;
  },
  stdout,
  stderr: process.stderr,
  now: Date.now,
  signal: interrupt.signal,
  interrupt: () => stop('SIGINT'),
  isUnseen: () => !hasReader.stdout && !hasReader.stderr,
  version: packageJson.version,
  isKubectlPlugin: basename(process.argv[1] ?? '').startsWith('kubectl-'),
  commandLine: process.argv.slice(2),
  machine: {
    memoryBytes: usableMemory(),
    cpus: availableParallelism(),
    temporaryDirectory: tmpdir(),
    homeDirectory: homedir(),
    hostName: hostname(),
    userId: process.getuid?.() ?? -1,
    pid: process.pid,
    bootClock: readBootClock,
  },
});
process.exitCode = code;
process.once('beforeExit', () => {
  if (lost.data === null) return;
  process.stderr.write(`error: standard output was lost: ${lost.data.message}\n`);
  if (code === EXIT.done) process.exitCode = EXIT.failed;
});
