import { Socket } from 'node:net';
import { errorMessage } from '../platform/errors.ts';
import { formatBytes } from '../platform/quantity.ts';
import { openFifo, type FifoOptions } from './open-fifo.ts';
import { WorkerError } from './worker-error.ts';

export interface ReadFifoOptions extends FifoOptions {
  /** More is refused. */
  readonly mostBytes: number;
}

/**
 * All that one writer writes, from its opening of the pipe to its closing; waits for the pipe and for the writer. A writer that dies closes too:
 * whether the text is whole, only the text can tell.
 */
export async function readFifo(path: string, options: ReadFifoOptions): Promise<string> {
  const { mostBytes, signal } = options;
  // The kernel tells when a writer has come and gone, so that nothing is polled, and one that wrote nothing is noticed as well.
  const socket = new Socket({ fd: await openFifo(path, 'read', options), readable: true, writable: false, signal });
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > mostBytes) {
        throw new WorkerError({ code: 'bad-message', message: `what comes over ${path} is more than ${formatBytes(mostBytes)}` });
      }
    }
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof WorkerError) throw cause;
    throw new WorkerError({ code: 'pipe-failed', message: `the pipe ${path} cannot be read: ${errorMessage(cause)}`, cause });
  } finally {
    socket.destroy();
  }
  return decode(path, Buffer.concat(chunks));
}

function decode(path: string, bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new WorkerError({ code: 'bad-message', message: `what came over ${path} is not UTF-8 text`, cause });
  }
}
