import type { Timing } from '../platform/timing.ts';
import type { Changes, Durability } from './history-database.ts';
import { HistoryError } from './history-error.ts';
import { nextTurn } from './next-turn.ts';
import type { ReopeningDatabase } from './reopening-database.ts';

export interface BatchWriterOptions<Item> {
  readonly database: ReopeningDatabase;
  readonly timing: Timing;
  readonly durability: Durability;
  /** All in one transaction. May be tried again, in other company. */
  readonly write: (changes: Changes, items: readonly Item[]) => Promise<void>;
  /** Of about how many rows it is. */
  readonly rowsOf: (item: Item) => number;
}

/** Written at once; more would hold up the process for longer than some hundredths of a second. */
const ROWS_AT_ONCE = 500;

/** While another process writes. Together some seconds: no write takes longer, and who asks may ask again. */
const BUSY_ATTEMPTS = 50;
/** The same for a database that itself waits for a while. */
const BUSY_LIMIT_MS = 5_000;
/** Short, so that it is there between two writes of another that has many. */
const BUSY_PAUSE_MS = 50;

interface Waiting<Item> {
  readonly item: Item;
  readonly signal: AbortSignal;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Writes what many ask for at the same time in few transactions, since each costs a sync of the disk. An item that cannot be written spoils no other.
 * Holds nothing but what somebody waits for.
 */
export class BatchWriter<Item> {
  readonly #options: BatchWriterOptions<Item>;
  readonly #closing = new AbortController();
  #waiting: Waiting<Item>[] = [];
  #work: Promise<void> | null = null;

  constructor(options: BatchWriterOptions<Item>) {
    this.#options = options;
  }

  /** Resolves when the item is written. An abort before its turn takes it back. */
  async add(item: Item, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push({ item, signal, resolve, reject });
      this.#work ??= this.#writeAll();
    });
  }

  /** Resolves when what was added has been written or rejected; another process that writes is waited for no longer. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#work;
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      // Whoever comes in the same moment comes along.
      await nextTurn();
      await this.#write(this.#next());
    }
    this.#work = null;
  }

  #next(): Waiting<Item>[] {
    const batch: Waiting<Item>[] = [];
    let [rows, taken] = [0, 0];
    for (const waiting of this.#waiting) {
      if (rows >= ROWS_AT_ONCE) break;
      taken += 1;
      if (waiting.signal.aborted) {
        waiting.reject(waiting.signal.reason);
        continue;
      }
      rows += this.#options.rowsOf(waiting.item);
      batch.push(waiting);
    }
    this.#waiting = this.#waiting.slice(taken);
    return batch;
  }

  async #write(batch: readonly Waiting<Item>[]): Promise<void> {
    if (batch.length === 0) return;
    try {
      await this.#writeWhenFree(batch.map(({ item }) => item));
      for (const { resolve } of batch) resolve();
    } catch (error) {
      if (batch.length === 1 || isOfAll(error)) {
        for (const { reject } of batch) reject(error);
        return;
      }
      for (const one of batch) {
        await nextTurn();
        await this.#write([one]);
      }
    }
  }

  async #writeWhenFree(items: readonly Item[]): Promise<void> {
    const { database, timing, durability, write } = this.#options;
    const attempt = (): Promise<void> => database.use((opened) => opened.write(durability, (changes) => write(changes, items)));
    const lastAt = timing.now() + BUSY_LIMIT_MS;
    for (let attempts = 1; ; attempts += 1) {
      try {
        await attempt();
        return;
      } catch (error) {
        const isLast = attempts === BUSY_ATTEMPTS || timing.now() > lastAt || this.#closing.signal.aborted;
        if (!isBusy(error) || isLast) throw error;
      }
      const pauseMs = BUSY_PAUSE_MS * (0.5 + timing.random());
      await timing.sleep(pauseMs, this.#closing.signal).catch(() => undefined);
    }
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof HistoryError && error.code === 'busy';
}

/** Whether each of a batch would fail by itself as they did together. */
function isOfAll(error: unknown): boolean {
  return error instanceof HistoryError && ['busy', 'away'].includes(error.code);
}
