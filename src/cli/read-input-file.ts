import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { errorMessage } from '../platform/errors.ts';
import { formatBytes } from '../platform/quantity.ts';
import { badUsage } from './cli-error.ts';

/**
 * The text of a file that an option names, without a byte order mark. Only regular files of up to `most` bytes are read: a FIFO may never
 * end, and neither does a device.
 */
export async function readInputFile(option: string, path: string, most: number): Promise<string> {
  const bytes = await readBytes(path, most).catch((error: unknown) => {
    throw badUsage(`${option} ${path} cannot be read: ${errorMessage(error)}`);
  });
  if (typeof bytes === 'string') throw badUsage(`${option} ${path} ${bytes}.`, 'Name a regular file.');
  if (bytes.length > most) throw badUsage(`${option} ${path} is too large: at most ${formatBytes(most)} are allowed.`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw badUsage(`${option} ${path} is not UTF-8 text.`, 'Save it in that encoding.');
  }
}

/** The bytes, of a file that is too large one more than is allowed; a text: what it is that cannot be read. */
async function readBytes(path: string, most: number): Promise<Buffer | string> {
  // Without O_NONBLOCK, to open a FIFO waits for its writer.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = await file.stat();
    if (stats.isDirectory()) return 'is a folder';
    if (stats.isFIFO()) return 'is a pipe';
    return stats.isFile() ? await readUpTo(file, most + 1) : 'is a device';
  } finally {
    await file.close();
  }
}

/** The size of a file is not asked: below /proc it is 0, and it may grow. */
async function readUpTo(file: FileHandle, most: number): Promise<Buffer> {
  const buffer = Buffer.alloc(most);
  let length = 0;
  while (length < most) {
    const { bytesRead } = await file.read(buffer, length, most - length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return buffer.subarray(0, length);
}
