import { errorMessage } from '../platform/errors.ts';
import type { Changes, Durability, HistoryDatabase } from './history-database.ts';
import { HistoryError } from './history-error.ts';

/** One entry of the history, written in the order in which it came. */
export interface Entry {
  readonly durability: Durability;
  readonly write: (changes: Changes) => Promise<void>;
}

/**
 * Entries of a run. What there is no space for stays in memory, in order, and is tried again with the next entry: a run that cleans up a full
 * disk makes the space for its own history.
 */
export class WriteQueue {
  readonly #database: HistoryDatabase;
  readonly #onWarning: (message: string) => void;
  readonly #entries: Entry[] = [];
  #turn: Promise<void> = Promise.resolve();
  #hasWarned = false;

  constructor(database: HistoryDatabase, onWarning: (message: string) => void) {
    this.#database = database;
    this.#onWarning = onWarning;
  }

  /** Resolves when the entry is written, or kept in memory for want of space. */
  async add(entry: Entry): Promise<void> {
    this.#entries.push(entry);
    try {
      await this.flush();
    } catch (error) {
      if (!(error instanceof HistoryError) || error.code !== 'full') throw error;
      if (!this.#hasWarned) this.#onWarning(`${errorMessage(error)}; what happens is kept in memory until there is space`);
      this.#hasWarned = true;
    }
  }

  /** @throws HistoryError `full`, too */
  flush(): Promise<void> {
    const turn = this.#turn.then(() => this.#writeAll());
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async #writeAll(): Promise<void> {
    const entries = [...this.#entries];
    if (entries.length === 0) return;
    const durability = entries.some((entry) => entry.durability === 'power') ? 'power' : 'process';
    await this.#database.write(durability, async (changes) => {
      for (const { write } of entries) await write(changes);
    });
    this.#entries.splice(0, entries.length);
  }
}
