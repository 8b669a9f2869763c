import { parseClusterNode, type ClusterNode } from '../../api/cluster-node.ts';
import { formatProblems } from '../configuration/inputs.ts';
import type { ClusterApi } from '../ports.ts';
import type { RawObject } from '../raw-object.ts';

/** A node as it was when it was looked at last. */
export type SeenNode =
  | { readonly kind: 'there'; readonly node: ClusterNode }
  | { readonly kind: 'gone' }
  /** `message`: what is wrong with it. */
  | { readonly kind: 'unreadable'; readonly message: string };

export interface NodeViewOptions {
  readonly api: Pick<ClusterApi, 'find' | 'list'>;
  /** Milliseconds on a clock that nobody can set. */
  readonly monotonicNow: () => number;
}

/** As the API server's lists are read. */
const PAGE_SIZE = 500;
/** How many are asked about at once. */
const LOOKS_AT_ONCE = 10;

/** The nodes, looked at again with as few requests as it takes: one by one, or all in pages where that is less. */
export class NodeView {
  readonly #options: NodeViewOptions;
  readonly #seen = new Map<string, { readonly at: number; readonly seen: SeenNode }>();
  #listedAt = -Infinity;
  /** How many there were; null: they were not listed yet. */
  #count: number | null = null;

  constructor(options: NodeViewOptions) {
    this.#options = options;
  }

  /** All nodes as they are now, by name. */
  async list(signal: AbortSignal): Promise<ReadonlyMap<string, SeenNode>> {
    const { api, monotonicNow } = this.#options;
    const at = monotonicNow();
    const nodes = new Map(await api.list('Node', { trim: (object) => [object.metadata.name, read(object)] as const }, signal));
    this.#seen.clear();
    for (const [name, seen] of nodes) this.#seen.set(name, { at, seen });
    this.#listedAt = at;
    this.#count = nodes.size;
    return nodes;
  }

  /** These nodes, as they were at most so many milliseconds ago. */
  async look(names: readonly string[], oldestMs: number, signal: AbortSignal): Promise<ReadonlyMap<string, SeenNode>> {
    const since = this.#options.monotonicNow() - oldestMs;
    const unseen = names.filter((name) => this.#known(name, since) === null);
    if (unseen.length > 0 && unseen.length >= this.#pages()) await this.list(signal);
    else await this.#ask(unseen, signal);
    return new Map(names.map((name) => [name, this.#known(name, since) ?? GONE]));
  }

  /** Lets go of what it knows: no run goes on. */
  forget(): void {
    this.#seen.clear();
    this.#listedAt = -Infinity;
  }

  /** null: it was not looked at since. */
  #known(name: string, since: number): SeenNode | null {
    const known = this.#seen.get(name);
    if (known !== undefined) return known.at >= since ? known.seen : null;
    return this.#listedAt >= since ? GONE : null;
  }

  /** That a list of all takes. Not known, a few nodes are asked for by name. */
  #pages(): number {
    return this.#count === null ? 2 : Math.ceil(this.#count / PAGE_SIZE);
  }

  async #ask(names: readonly string[], signal: AbortSignal): Promise<void> {
    const { api, monotonicNow } = this.#options;
    for (let from = 0; from < names.length; from += LOOKS_AT_ONCE) {
      const at = monotonicNow();
      await Promise.all(
        names.slice(from, from + LOOKS_AT_ONCE).map(async (name) => {
          const raw = await api.find('Node', name, signal);
          this.#seen.set(name, { at, seen: raw === null ? GONE : read(raw) });
        }),
      );
    }
  }
}

const GONE: SeenNode = { kind: 'gone' };

function read(object: RawObject): SeenNode {
  const parsed = parseClusterNode(object);
  return parsed.ok ? { kind: 'there', node: parsed.value } : { kind: 'unreadable', message: formatProblems(parsed.errors) };
}
