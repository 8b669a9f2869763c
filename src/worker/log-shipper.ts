import { CALL_LIMITS } from '../api/coordinator/coordinator-api.ts';
import { LONGEST_LOG_LINE, MOST_LOG_LINES, type LogPiece } from '../api/coordinator/logs-call.ts';
import { errorMessage } from '../platform/errors.ts';
import type { Timing } from '../platform/timing.ts';
import type { LogSink } from './ports.ts';

export interface LogShipperOptions {
  readonly container: LogPiece['container'];
  readonly timing: Pick<Timing, 'sleep'>;
  /** Is told, once, why the rest of the log is with the container runtime alone. */
  readonly onGivenUp: (why: string) => void;
}

/** A pause, so that a container that logs a line now and then does not call for each. */
const PAUSE_MS = 5_000;
/** What waits in memory, in characters; what is over it is counted and left out. */
const MOST_WAITING = 2 * 1024 * 1024;
const AROUND_BYTES = 1024;

/**
 * Brings a container's log to the coordinator, in pieces, one after the other, each repeated until it is acknowledged. Nobody waits for it before `end`,
 * and nothing that happens to it is an error of the run.
 */
export class LogShipper {
  readonly #options: LogShipperOptions;
  readonly #stop = new AbortController();
  #hurry = new AbortController();
  #waiting: string[] = [];
  #characters = 0;
  #leftOut = 0;
  #sequence = 0;
  #state: 'open' | 'ending' | 'given-up' = 'open';
  #wake: (() => void) | null = null;
  #running: Promise<void> | null = null;

  constructor(options: LogShipperOptions) {
    this.#options = options;
  }

  /** A line, with or without its end. */
  add(line: string): void {
    if (this.#state === 'given-up') return;
    const text = line.replace(/\n$/, '').slice(0, LONGEST_LOG_LINE);
    if (this.#characters + text.length > MOST_WAITING) {
      this.#leftOut += 1;
      return;
    }
    this.#waiting.push(text);
    this.#characters += text.length;
    this.#wake?.();
    if (this.#waiting.length >= MOST_LOG_LINES || this.#characters >= MOST_WAITING / 8) this.#hurry.abort();
  }

  /** From now on it is sent. null: nobody takes it. */
  begin(sink: LogSink | null): void {
    if (sink === null) this.#giveUp();
    else this.#running ??= this.#run(sink);
  }

  /** Resolves when all is acknowledged, nobody takes it, or so many milliseconds are over. */
  async end(mostMs: number): Promise<void> {
    if (this.#running === null || this.#state !== 'open') return;
    this.#state = 'ending';
    this.#hurry.abort();
    this.#wake?.();
    const timer = setTimeout(() => this.#stop.abort(new Error(`not acknowledged within ${mostMs / 1000} s`)), mostMs);
    await this.#running;
    clearTimeout(timer);
  }

  async #run(sink: LogSink): Promise<void> {
    while (this.#state !== 'given-up') {
      if (this.#waiting.length === 0 && this.#leftOut === 0) {
        if (this.#state === 'ending') return;
        await new Promise<void>((resolve) => (this.#wake = resolve));
        this.#wake = null;
      }
      await this.#options.timing.sleep(PAUSE_MS, this.#hurry.signal).catch(() => undefined);
      if (this.#state === 'open') this.#hurry = new AbortController();
      while (this.#waiting.length > 0 || this.#leftOut > 0) await this.#sendPiece(sink);
    }
  }

  async #sendPiece(sink: LogSink): Promise<void> {
    const lines = this.#takePiece();
    try {
      const { isFull } = await sink.sendLog({ container: this.#options.container, sequence: this.#sequence, lines }, this.#stop.signal);
      this.#sequence += 1;
      if (isFull) this.#giveUp('the coordinator keeps no more of it');
    } catch (error) {
      this.#giveUp(errorMessage(error));
    }
  }

  #takePiece(): string[] {
    let bytes = AROUND_BYTES;
    let count = 0;
    for (const line of this.#waiting) {
      bytes += Buffer.byteLength(JSON.stringify(line)) + 1;
      if (bytes > CALL_LIMITS.logs.maxRequestBytes || count === MOST_LOG_LINES - 1) break;
      count += 1;
    }
    const lines = this.#waiting.splice(0, count);
    this.#characters -= lines.reduce((sum, { length }) => sum + length, 0);
    if (this.#leftOut > 0) {
      lines.push(
        JSON.stringify({ level: 'warn', message: 'lines were left out: the coordinator did not take them in time', lines: this.#leftOut }),
      );
      this.#leftOut = 0;
    }
    return lines;
  }

  #giveUp(why?: string): void {
    if (why !== undefined && this.#state !== 'given-up') this.#options.onGivenUp(why);
    this.#state = 'given-up';
    this.#waiting = [];
    this.#characters = 0;
    this.#leftOut = 0;
    this.#wake?.();
  }
}
