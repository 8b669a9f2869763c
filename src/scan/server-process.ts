import { spawn } from 'node:child_process';
import { KeptOutput } from './kept-output.ts';
import { ownGroup, releaseGroup, signalGroup } from './process-groups.ts';
import { KEPT_ERROR_BYTES, type ProcessCommand } from './run-process.ts';
import { startFault } from './start-fault.ts';

export interface ServerProcess {
  readonly pid: number;
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;
  /** How it ended, for a message (`was ended by SIGKILL`); null: it runs. */
  readonly end: () => ServerEnd | null;
  /** What it has written to standard error so far, the beginning. */
  readonly stderr: () => string;
  /** Ends it and all that it started: SIGTERM, then SIGKILL. */
  stop(): Promise<void>;
}

export type ServerEnd = { readonly kind: 'exited'; readonly code: number } | { readonly kind: 'killed'; readonly signal: NodeJS.Signals };

/**
 * Starts a program that runs until it is stopped, in a process group of its own. It does not keep this process from ending, which kills it.
 * Throws a `ScannerFault` if it cannot be started.
 */
export async function startServerProcess(command: Omit<ProcessCommand, 'maxOutputBytes'>): Promise<ServerProcess> {
  const { file, args, cwd, env, graceMs } = command;
  const child = spawn(file, args, { cwd, env, detached: true, stdio: ['ignore', 'ignore', 'pipe'] });
  const { pid } = child;
  if (pid === undefined) throw await startFault(child, file);
  ownGroup(pid);
  child.unref();
  // A pipe is a socket, which keeps this process alive too.
  (child.stderr as typeof child.stderr & { unref(): void }).unref();
  const stderr = new KeptOutput(KEPT_ERROR_BYTES);
  child.stderr.on('data', (chunk: Buffer) => stderr.add(chunk));
  let end: ServerEnd | null = null;
  const exited = new Promise<void>((resolve) => {
    child.once('exit', (code, signal) => {
      end = signal === null ? { kind: 'exited', code: code ?? -1 } : { kind: 'killed', signal };
      signalGroup(pid, 'SIGKILL');
      releaseGroup(pid);
      // What it wrote last is in the pipe still, unless something else holds that open.
      const closeTimer = setTimeout(() => child.stderr.destroy(), graceMs);
      child.once('close', () => {
        clearTimeout(closeTimer);
        resolve();
      });
    });
  });
  return {
    pid,
    ended: exited,
    end: () => end,
    stderr: () => stderr.bytes().toString(),
    async stop() {
      child.ref();
      const send = (name: NodeJS.Signals): void => {
        if (end === null) signalGroup(pid, name);
      };
      send('SIGTERM');
      const killTimer = setTimeout(() => send('SIGKILL'), graceMs);
      await exited;
      clearTimeout(killTimer);
    },
  };
}
