import type { BootReading } from '../platform/boot-clock.ts';
import { elapsedBetween, type ClockReading } from './history-clock.ts';
import type { Changes, Queries } from './history-database.ts';

/** The history's time, kept in its file from one process to the next. */
export class HistoryTime {
  readonly #now: () => number;
  readonly #bootClock: () => BootReading;
  readonly #mayMove: boolean;

  /** `mayMove`: the file may come to another machine, as the volume of a pod does. */
  constructor(now: () => number, bootClock: () => BootReading, mayMove = false) {
    this.#now = now;
    this.#bootClock = bootClock;
    this.#mayMove = mayMove;
  }

  wallAt(): number {
    return Math.round(this.#now());
  }

  /** History time now, in milliseconds. */
  async read(queries: Queries): Promise<number> {
    return (await this.#read(queries)).historyMs;
  }

  /** The same, and keeps the reading: done with each entry that bears a time, so that no entry is ahead of the clock afterwards. */
  async record(changes: Changes): Promise<number> {
    const { historyMs, reading } = await this.#read(changes);
    const values = { history_ms: historyMs, wall_at: reading.wallAt, boot_id: reading.bootId, uptime_ms: reading.uptimeMs };
    await changes
      .insertInto('clock')
      .values({ id: 1, ...values })
      .onConflict((conflict) => conflict.column('id').doUpdateSet(values))
      .execute();
    return historyMs;
  }

  async #read(queries: Queries): Promise<{ historyMs: number; reading: ClockReading }> {
    const row = await queries.selectFrom('clock').selectAll().executeTakeFirst();
    const { bootId, uptimeMs } = this.#bootClock();
    const reading = { bootId, uptimeMs: Math.round(uptimeMs), wallAt: this.wallAt() };
    if (row === undefined) return { historyMs: 0, reading };
    const last = { bootId: row.boot_id, uptimeMs: row.uptime_ms, wallAt: row.wall_at };
    return { historyMs: row.history_ms + elapsedBetween(last, reading, this.#mayMove), reading };
  }
}
