import type { CliContext, OutputStream } from '../context.ts';

/** Where a text is shown. */
export interface Screen {
  readonly color: boolean;
  /** null: no terminal, or one that does not know its width. */
  readonly columns: number | null;
}

export function screenOf({ env }: Pick<CliContext, 'env'>, stream: OutputStream): Screen {
  return { color: usesColor(env, stream), columns: columnsOf(stream) };
}

/** Colour goes to a terminal only, and not where NO_COLOR is set to anything (no-color.org) or the terminal is `dumb`. */
function usesColor(env: CliContext['env'], stream: OutputStream): boolean {
  const noColor = env['NO_COLOR'];
  return stream.isTTY === true && (noColor === undefined || noColor === '') && env['TERM'] !== 'dumb';
}

/** A terminal that does not know its width, as over a serial line, says 0. */
function columnsOf({ isTTY, columns = 0 }: OutputStream): number | null {
  return isTTY === true && columns > 0 ? columns : null;
}
