import type { CliContext } from '../context.ts';
import { printable } from './image-name.ts';

/** Lines on standard error. */
export interface Lines {
  /** A line that stays. */
  readonly say: (line: string) => void;
  /** A line that only a terminal shows, until the next one. */
  readonly pass: (line: string) => void;
  /** Takes the passing line off the terminal. */
  readonly clear: () => void;
  /** Whether passing lines are seen. */
  readonly isLive: boolean;
}

export function createLines({ stderr: stream, env }: Pick<CliContext, 'stderr' | 'env'>): Lines {
  const isLive = stream.isTTY === true && env['TERM'] !== 'dumb';
  const clear = (): void => {
    if (isLive) stream.write('\r\u001b[K');
  };
  const say = (line: string): void => {
    clear();
    stream.write(`${printable(line)}\n`);
  };
  const pass = (line: string): void => {
    if (!isLive) return;
    clear();
    stream.write(printable(line).slice(0, Math.max(columnsOf(stream) - 1, 1)));
  };
  return { say, pass, clear, isLive };
}

/** A terminal that does not know its width, as over a serial line, says 0. */
function columnsOf({ columns = 0 }: CliContext['stderr']): number {
  return columns > 0 ? columns : 80;
}
