/** The requests of this run that store parts, the last used ones, up to a size in bytes: images share their lower layers. */
export class PartMemory {
  readonly #limit: number;
  /** In the order of their last use. */
  readonly #parts = new Map<string, Uint8Array>();
  #bytes = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get(key: string): Uint8Array | null {
    const part = this.#parts.get(key);
    if (part === undefined) return null;
    this.#parts.delete(key);
    this.#parts.set(key, part);
    return part;
  }

  set(key: string, part: Uint8Array): void {
    this.#bytes += part.length - (this.#parts.get(key)?.length ?? 0);
    this.#parts.delete(key);
    this.#parts.set(key, part);
    for (const [oldest, { length }] of this.#parts) {
      if (this.#bytes <= this.#limit) break;
      this.#parts.delete(oldest);
      this.#bytes -= length;
    }
  }
}
