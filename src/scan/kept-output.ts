/** Collects output up to a limit and forgets the rest. */
export class KeptOutput {
  isExceeded = false;
  readonly #limit: number;
  readonly #chunks: Buffer[] = [];
  #size = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(chunk: Buffer): void {
    const room = this.#limit - this.#size;
    if (chunk.length > room) this.isExceeded = true;
    if (room === 0) return;
    this.#chunks.push(chunk.subarray(0, room));
    this.#size += Math.min(chunk.length, room);
  }

  bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }
}
