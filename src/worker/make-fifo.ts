import { execFile } from 'node:child_process';
import { lstat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { errorMessage } from '../platform/errors.ts';
import { WorkerError } from './worker-error.ts';

/** Makes a named pipe, readable by all; one that is there already, from before a restart of the container, will do. */
export type MakeFifo = (path: string, signal: AbortSignal) => Promise<void>;

/** Of the helper in `mkfifo/`. */
const EXISTS_ALREADY = 17;
const HELPER_TIMEOUT_MS = 10_000;

/** By a program, for Node itself has no call for it. */
export function makeFifoWith(helper: string): MakeFifo {
  return async (path, signal) => {
    try {
      await runFile(helper, [path], { signal, timeout: HELPER_TIMEOUT_MS, env: {} });
    } catch (error) {
      signal.throwIfAborted();
      const { code, stderr } = error as { readonly code?: unknown; readonly stderr?: string };
      if (code !== EXISTS_ALREADY) throw cannotMake(path, stderr?.trim() ?? errorMessage(error), error);
      const isFifo = await lstat(path).then((found) => found.isFIFO());
      if (!isFifo) throw cannotMake(path, 'something else is there', error);
    }
  };
}

const runFile = promisify(execFile);

function cannotMake(path: string, why: string, cause: unknown): WorkerError {
  return new WorkerError({ code: 'pipe-failed', message: `the pipe ${path} cannot be made: ${why}`, cause });
}
