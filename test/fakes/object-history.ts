import type { KubeObject } from '../../src/kube/kube-object.ts';

export interface Change {
  readonly version: number;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  /** `group/plural`. */
  readonly collection: string;
  readonly object: KubeObject;
  /** Before the change, for watches with a selector. */
  readonly before: KubeObject | null;
}

/** What etcd is to an API server: objects, each change with a number, and the changes since the last compaction. */
export class ObjectHistory {
  version = 100;
  compactedAt = 0;
  readonly #objects = new Map<string, KubeObject>();
  readonly #changes: Change[] = [];
  readonly #followers = new Set<(change: Change) => void>();

  get(collection: string, key: string): KubeObject | undefined {
    return this.#objects.get(`${collection} ${key}`);
  }

  /** In the order of their keys. */
  list(collection: string): [string, KubeObject][] {
    return [...this.#objects]
      .filter(([path]) => path.startsWith(`${collection} `))
      .map(([path, object]): [string, KubeObject] => [path.slice(collection.length + 1), object])
      .sort(([a], [b]) => (a < b ? -1 : 1));
  }

  put(collection: string, key: string, object: KubeObject): KubeObject {
    const path = `${collection} ${key}`;
    const before = this.#objects.get(path) ?? null;
    const stored = this.#numbered(object);
    this.#objects.set(path, stored);
    this.#record({ version: this.version, type: before === null ? 'ADDED' : 'MODIFIED', collection, object: stored, before });
    return stored;
  }

  delete(collection: string, key: string): KubeObject | undefined {
    const path = `${collection} ${key}`;
    const before = this.#objects.get(path);
    if (before === undefined) return undefined;
    this.#objects.delete(path);
    const object = this.#numbered(before);
    this.#record({ version: this.version, type: 'DELETED', collection, object, before });
    return object;
  }

  /** Forgets all that happened until now: who wants to go on from there is told 410. */
  compact(): void {
    this.compactedAt = this.version;
    this.#changes.length = 0;
  }

  /** As after a restore from a backup. */
  goBackTo(version: number): void {
    this.version = version;
    this.#changes.length = 0;
  }

  since(version: number): readonly Change[] {
    return this.#changes.filter((change) => change.version > version);
  }

  follow(follower: (change: Change) => void): () => void {
    this.#followers.add(follower);
    return () => this.#followers.delete(follower);
  }

  #numbered(object: KubeObject): KubeObject {
    this.version += 1;
    return { ...object, metadata: { ...object.metadata, resourceVersion: String(this.version) } };
  }

  #record(change: Change): void {
    this.#changes.push(change);
    for (const follower of this.#followers) follower(change);
  }
}
