import { execFile } from 'node:child_process';
import { lstat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { errorMessage } from '../platform/errors.ts';
import { WorkerError } from './worker-error.ts';

/** Makes named pipes, readable by all; one that is there already, from before a restart of the container, will do. */
export type MakeFifo = (paths: readonly string[], signal: AbortSignal) => Promise<void>;

/** Of the helper in `mkfifo/`. */
const EXISTS_ALREADY = 17;
const HELPER_TIMEOUT_MS = 10_000;

/** By a program, for Node itself has no call for it. */
export function makeFifoWith(helper: string): MakeFifo {
  return async (paths, signal) => {
    const found = await Promise.all(paths.map(isFifo));
    const missing = paths.filter((_, at) => found[at] !== true);
    if (missing.length === 0) return;
    try {
      await runFile(helper, missing, { signal, timeout: HELPER_TIMEOUT_MS, env: {} });
    } catch (error) {
      signal.throwIfAborted();
      const { code, stderr } = error as { readonly code?: unknown; readonly stderr?: string };
      if (code !== EXISTS_ALREADY) throw cannotMake(missing, stderr?.trim() ?? errorMessage(error), error);
      for (const path of missing) if (!(await isFifo(path))) throw cannotMake([path], 'something else is there', error);
    }
  };
}

const runFile = promisify(execFile);

async function isFifo(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => null);
  return found?.isFIFO() === true;
}

function cannotMake(paths: readonly string[], why: string, cause: unknown): WorkerError {
  return new WorkerError({ code: 'pipe-failed', message: `the pipe ${paths.join(', ')} cannot be made: ${why}`, cause });
}
