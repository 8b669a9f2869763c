import { close, constants, fstat, open } from 'node:fs';
import { promisify } from 'node:util';
import { errorMessage } from '../platform/errors.ts';
import type { Timing } from '../platform/timing.ts';
import { WorkerError } from './worker-error.ts';

const openFile = promisify(open);
const closeFile = promisify(close);
const statFile = promisify(fstat);

export interface FifoOptions {
  /** Only `sleep` is asked for. */
  readonly timing: Pick<Timing, 'sleep'>;
  readonly signal: AbortSignal;
}

/** Often enough that nobody waits for it, seldom enough to cost nothing in hours of scanning. */
const POLL_MS = 100;

/**
 * Opens a named pipe as soon as it is there and, for writing, as soon as someone reads. Without blocking: a blocking open holds a thread that no
 * signal frees, and keeps the process from ending.
 */
export async function openFifo(path: string, direction: 'read' | 'write', { timing, signal }: FifoOptions): Promise<number> {
  const flags = (direction === 'read' ? constants.O_RDONLY : constants.O_WRONLY) | constants.O_NONBLOCK | constants.O_NOFOLLOW;
  for (;;) {
    signal.throwIfAborted();
    try {
      return await fifoOnly(path, await openFile(path, flags));
    } catch (error) {
      if (error instanceof WorkerError) throw error;
      const { code } = error as NodeJS.ErrnoException;
      // ENXIO: nobody reads yet.
      if (code !== 'ENOENT' && code !== 'ENXIO') throw failed(path, errorMessage(error), error);
    }
    await timing.sleep(POLL_MS, signal);
  }
}

/** What lies there may be anything: other containers write to the folder. */
async function fifoOnly(path: string, descriptor: number): Promise<number> {
  if ((await statFile(descriptor)).isFIFO()) return descriptor;
  await closeFile(descriptor);
  throw failed(path, 'it is no named pipe');
}

function failed(path: string, why: string, cause?: unknown): WorkerError {
  return new WorkerError({ code: 'pipe-failed', message: `the pipe ${path} cannot be opened: ${why}`, cause });
}
