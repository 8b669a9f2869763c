import type { LogPiece } from '../../src/api/coordinator/logs-call.ts';
import type { LogSink } from '../../src/worker/ports.ts';

/** Takes logs as the coordinator does: pieces by their numbers, each once. */
export class FakeLogSink implements LogSink {
  readonly pieces: LogPiece[] = [];
  isFull = false;
  /** Runs before each piece is taken; a rejection is the call's. */
  before: (piece: LogPiece, signal: AbortSignal) => Promise<void> = () => Promise.resolve();

  get lines(): string[] {
    return this.pieces.flatMap(({ lines }) => lines);
  }

  async sendLog(piece: LogPiece, signal: AbortSignal): Promise<{ readonly isFull: boolean }> {
    await this.before(piece, signal);
    if (piece.sequence !== this.pieces.length) throw new Error(`piece ${piece.sequence} came, and ${this.pieces.length} are there`);
    this.pieces.push(piece);
    return { isFull: this.isFull };
  }
}
