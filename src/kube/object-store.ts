export interface StoredObject<T> {
  readonly key: string;
  /** Its resourceVersion. */
  readonly version: string;
  readonly value: T;
}

/** What a reflector keeps of each object, by its key (`keyOf`). */
export class ObjectStore<T> {
  readonly #objects = new Map<string, StoredObject<T>>();

  get size(): number {
    return this.#objects.size;
  }

  get(key: string): T | undefined {
    return this.#objects.get(key)?.value;
  }

  keys(): string[] {
    return [...this.#objects.keys()];
  }

  values(): T[] {
    return [...this.#objects.values()].map(({ value }) => value);
  }

  set(object: StoredObject<T>): void {
    this.#objects.set(object.key, object);
  }

  delete(key: string): void {
    this.#objects.delete(key);
  }

  /** Replaces everything at once. Returns the keys of what came, changed or went. */
  replace(objects: readonly StoredObject<T>[]): string[] {
    const listed = new Set(objects.map(({ key }) => key));
    const gone = this.keys().filter((key) => !listed.has(key));
    const changed = objects.filter(({ key, version }) => version === '' || this.#objects.get(key)?.version !== version);
    gone.forEach((key) => this.#objects.delete(key));
    changed.forEach((object) => this.#objects.set(object.key, object));
    return [...gone, ...changed.map(({ key }) => key)];
  }
}
