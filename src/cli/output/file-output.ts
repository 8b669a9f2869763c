import { writeSync } from 'node:fs';
import { Writable } from 'node:stream';

/**
 * Standard output where it is a file. Node's own stream drops without a word what a nearly full filesystem does not take of a piece; here
 * the rest is written again, until it is there or the filesystem says why not.
 */
export class FileOutput extends Writable {
  readonly #descriptor: number;

  constructor(descriptor: number) {
    super({ decodeStrings: true });
    this.#descriptor = descriptor;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error: Error | null) => void): void {
    try {
      for (let written = 0; written < chunk.length;) written += writeSync(this.#descriptor, chunk, written);
    } catch (error) {
      done(error as Error);
      return;
    }
    done(null);
  }
}
