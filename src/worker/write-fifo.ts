import { Socket } from 'node:net';
import { finished } from 'node:stream/promises';
import { errorMessage } from '../platform/errors.ts';
import { openFifo, type FifoOptions } from './open-fifo.ts';
import { WorkerError } from './worker-error.ts';

/** Waits for the pipe and for a reader, and writes it all. Rejects when the reader goes away before it has taken all that the pipe cannot hold. */
export async function writeFifo(path: string, text: string, options: FifoOptions): Promise<void> {
  const { signal } = options;
  const socket = new Socket({ fd: await openFifo(path, 'write', options), readable: false, writable: true, signal });
  try {
    socket.end(text);
    await finished(socket, { readable: false });
  } catch (cause) {
    signal.throwIfAborted();
    throw new WorkerError({ code: 'pipe-failed', message: `the reader of ${path} is gone: ${errorMessage(cause)}`, cause });
  } finally {
    socket.destroy();
  }
}
