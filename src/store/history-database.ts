import type { Kysely, Transaction } from 'kysely';
import type { Tables } from './tables.ts';

export type Queries = Kysely<Tables>;
export type Changes = Transaction<Tables>;

/**
 * What a commit outlives: the end of this `process`, or the loss of `power` (a sync to the disk, some milliseconds). A server has its own setting for
 * that, which holds for both.
 */
export type Durability = 'process' | 'power';

/** The history's database: the same tables and queries whatever holds them. Whatever it throws is a `HistoryError`. */
export interface HistoryDatabase {
  /** What messages call it: the path of its file, or where its server is, without any secret. */
  readonly name: string;
  readonly queries: Queries;
  /** All of the work or nothing of it, and one at a time among all processes: what the work reads, no other writer changes before its end. */
  write<T>(durability: Durability, work: (changes: Changes) => Promise<T>): Promise<T>;
  /** Whether it is still what was opened: a file may have been removed or replaced. */
  isInPlace(): boolean;
  /** About how many bytes its content takes, without what is free between it. */
  usedBytes(): Promise<number>;
  /** With what is free. */
  heldBytes(): Promise<number>;
  /** What is free, to the filesystem; in pieces, other calls have their turns in between. */
  giveSpaceBack(signal: AbortSignal | undefined): Promise<void>;
  close(): Promise<void>;
}
