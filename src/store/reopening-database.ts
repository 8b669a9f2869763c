import type { HistoryDatabase } from './history-database.ts';
import { HistoryError, historyError } from './history-error.ts';

export interface ReopeningOptions {
  /** Of the history, for messages. */
  readonly name: string;
  /** @throws HistoryError */
  readonly open: () => HistoryDatabase | Promise<HistoryDatabase>;
  /** Milliseconds on a clock that never goes back. */
  readonly monotonicNow: () => number;
  /** Told why it cannot be used, and null when it can again; each once. Not of another process that writes. */
  readonly onFault: (fault: HistoryError | null) => void;
}

/** What could not be opened is left alone for so long. */
const PAUSE_MS = 1_000;

/** What passes while it stays open. */
const PASSING: readonly string[] = ['full', 'busy'];

interface Opened {
  readonly database: HistoryDatabase;
  users: number;
}

/**
 * A database that is opened again, with the next use, when its file or server was away, removed or replaced, or had a fault: a process that stays for
 * months needs no restart for that.
 */
export class ReopeningDatabase {
  readonly #options: ReopeningOptions;
  #opened: Opened | null = null;
  /** One that is not used anew, until its last user has closed it. */
  #leaving: { readonly opened: Opened; readonly closed: PromiseWithResolvers<void> } | null = null;
  #fault: HistoryError | null = null;
  #opening: Promise<Opened> | null = null;
  /** When it could not be opened last. */
  #failedAt = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  constructor(options: ReopeningOptions) {
    this.#options = options;
  }

  /** Of the last use; null: it had none. */
  get fault(): HistoryError | null {
    return this.#fault;
  }

  /**
   * Does a piece of work with the open database; not within another one.
   * @throws HistoryError for all that is wrong with the database; what the work itself throws otherwise goes through
   */
  async use<T>(work: (database: HistoryDatabase) => Promise<T>): Promise<T> {
    try {
      const opened = await this.#open();
      const done = await this.#useOpened(opened, work);
      // What was under way on one that is left since says nothing of the next.
      if (this.#isInUse(opened)) this.#tell(null);
      return done;
    } catch (error) {
      if (error instanceof HistoryError) this.#tell(error);
      throw error;
    }
  }

  /** Once the work under way is done. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#opening?.catch(() => undefined);
    if (this.#opened !== null) this.#leave(this.#opened);
    await this.#leaving?.closed.promise;
  }

  async #open(): Promise<Opened> {
    if (this.#opened?.database.isInPlace() === false) this.#leave(this.#opened);
    // Two that are open under one name would share the files beside it, which are of one of them only.
    while (this.#leaving !== null) await this.#leaving.closed.promise;
    if (this.#isClosed) throw new Error(`the history ${this.#options.name} is closed`);
    if (this.#opened !== null) return this.#opened;
    if (this.#fault !== null && this.#options.monotonicNow() - this.#failedAt < PAUSE_MS) throw this.#fault;
    this.#opening ??= this.#openAnew().finally(() => (this.#opening = null));
    const opened = await this.#opening;
    // Another has left it meanwhile.
    return this.#isInUse(opened) ? opened : this.#open();
  }

  #isInUse(opened: Opened): boolean {
    return this.#opened === opened;
  }

  async #openAnew(): Promise<Opened> {
    try {
      this.#opened = { database: await this.#options.open(), users: 0 };
      return this.#opened;
    } catch (error) {
      this.#failedAt = this.#options.monotonicNow();
      throw error;
    }
  }

  async #useOpened<T>(opened: Opened, work: (database: HistoryDatabase) => Promise<T>): Promise<T> {
    opened.users += 1;
    try {
      const done = await work(opened.database);
      if (!opened.database.isInPlace()) throw removed(opened.database.name);
      return done;
    } catch (error) {
      if (error instanceof HistoryError && !PASSING.includes(error.code)) this.#leave(opened);
      throw error;
    } finally {
      opened.users -= 1;
      await this.#closeWhenLeft();
    }
  }

  #leave(opened: Opened): void {
    if (!this.#isInUse(opened)) return;
    this.#opened = null;
    this.#leaving = { opened, closed: Promise.withResolvers() };
    void this.#closeWhenLeft();
  }

  async #closeWhenLeft(): Promise<void> {
    const leaving = this.#leaving;
    if (leaving === null || leaving.opened.users > 0) return;
    await closeQuietly(leaving.opened.database);
    if (this.#leaving === leaving) this.#leaving = null;
    leaving.closed.resolve();
  }

  /** That another process writes is told by the calls that it keeps waiting for too long. */
  #tell(fault: HistoryError | null): void {
    if (fault?.code === 'busy') return;
    const isNew = fault?.code !== this.#fault?.code;
    this.#fault = fault;
    if (isNew) this.#options.onFault(fault);
  }
}

function removed(name: string): HistoryError {
  return historyError('unreadable', `the history ${name} was removed or replaced: what was written to it last is lost`);
}

/** A file that is broken or gone may fail here once more, with nothing new to tell. */
async function closeQuietly(database: HistoryDatabase): Promise<void> {
  try {
    await database.close();
  } catch {
    // Told by the error that led here.
  }
}
