import { createInterface } from 'node:readline/promises';
import type { CliContext } from '../context.ts';

/** Asks on the terminal; only `y` or `yes` is a yes. The end of input and an interrupt are a no. */
export async function confirm({ stdin, stderr, signal }: CliContext, question: string): Promise<boolean> {
  // Without line editing of its own, so that Ctrl-C is the interrupt that it is everywhere else.
  const readline = createInterface({ input: stdin, output: stderr, terminal: false });
  const ended = new AbortController();
  readline.once('close', () => ended.abort());
  try {
    const answer = await readline.question(`${question} [y/N] `, { signal: AbortSignal.any([signal, ended.signal]) });
    return /^y(es)?$/i.test(answer.trim());
  } catch (error) {
    if (signal.aborted || ended.signal.aborted) return false;
    throw error;
  } finally {
    readline.close();
  }
}
