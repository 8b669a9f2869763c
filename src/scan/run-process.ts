import { spawn } from 'node:child_process';
import { KeptOutput } from './kept-output.ts';
import { ownGroup, releaseGroup, signalGroup } from './process-groups.ts';
import { startFault } from './start-fault.ts';

export interface ProcessCommand {
  /** A name to look up in the environment's PATH, or an absolute path. */
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** How long the process may take to end after SIGTERM before SIGKILL, and its outputs to close after its end, in ms. */
  readonly graceMs: number;
  /** What standard output may come to, in bytes; a process that writes more is ended. */
  readonly maxOutputBytes: number;
}

export type ProcessEnd =
  | { readonly kind: 'exited'; readonly code: number; readonly stdout: Buffer; readonly stderr: string }
  | { readonly kind: 'killed'; readonly signal: NodeJS.Signals; readonly stderr: string }
  | { readonly kind: 'output-too-large' };

/** The beginning of standard error that is kept, in bytes: enough for a panic's first lines or a long chain of errors. */
export const KEPT_ERROR_BYTES = 64 * 1024;

/**
 * Runs a program without a shell, in a process group of its own, and resolves when it and all that it started have ended. On abort the
 * group is ended (SIGTERM, then SIGKILL) and the call rejects with the signal's reason. Throws a `ScannerFault` if it cannot be started.
 * What the program started in a session of its own is out of reach: it is not waited for longer than the grace.
 */
export async function runProcess(command: ProcessCommand, signal: AbortSignal): Promise<ProcessEnd> {
  signal.throwIfAborted();
  const child = spawn(command.file, command.args, {
    cwd: command.cwd,
    env: command.env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const { pid } = child;
  if (pid === undefined) throw await startFault(child, command.file);
  ownGroup(pid);
  return await new Promise((resolve, reject) => {
    const stdout = new KeptOutput(command.maxOutputBytes);
    const stderr = new KeptOutput(KEPT_ERROR_BYTES);
    let killTimer: NodeJS.Timeout | undefined;
    let closeTimer: NodeJS.Timeout | undefined;
    const end = (): void => {
      signalGroup(pid, 'SIGTERM');
      killTimer ??= setTimeout(() => {
        signalGroup(pid, 'SIGKILL');
      }, command.graceMs);
    };
    child.stdout.on('data', (chunk: Buffer) => {
      stdout.add(chunk);
      if (stdout.isExceeded) end();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr.add(chunk);
    });
    // What the program itself started may outlive it and would keep the pipes open, and `close` from coming.
    child.on('exit', () => {
      signalGroup(pid, 'SIGKILL');
      releaseGroup(pid);
      closeTimer = setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
      }, command.graceMs);
    });
    child.on('close', (code, killedBy) => {
      signal.removeEventListener('abort', end);
      clearTimeout(killTimer);
      clearTimeout(closeTimer);
      if (signal.aborted) reject(signal.reason as Error);
      else if (stdout.isExceeded) resolve({ kind: 'output-too-large' });
      else if (killedBy !== null) resolve({ kind: 'killed', signal: killedBy, stderr: stderr.bytes().toString() });
      else resolve({ kind: 'exited', code: code ?? -1, stdout: stdout.bytes(), stderr: stderr.bytes().toString() });
    });
    signal.addEventListener('abort', end, { once: true });
  });
}
