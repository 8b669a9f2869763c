import type { CliContext, OutputStream } from '../context.ts';

/** Colour goes to a terminal only, and not where NO_COLOR is set to anything (no-color.org) or the terminal is `dumb`. */
export function usesColor({ env }: Pick<CliContext, 'env'>, stream: OutputStream): boolean {
  const noColor = env['NO_COLOR'];
  return stream.isTTY === true && (noColor === undefined || noColor === '') && env['TERM'] !== 'dumb';
}
