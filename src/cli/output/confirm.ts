import { createInterface } from 'node:readline/promises';
import { setImmediate as afterReading, setTimeout as delay } from 'node:timers/promises';
import type { CliContext } from '../context.ts';

/** Asks on the terminal; only `y` or `yes` is a yes. The end of input and an interrupt are a no. */
export async function confirm({ stdin, stderr, signal, interrupt }: CliContext, question: string): Promise<boolean> {
  await dropTypedAhead(stdin, interrupt);
  if (stdin.readableEnded || stdin.destroyed) return false;
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

/** What the terminal holds back, it gives at once when it stops to collect lines. */
const TYPED_AHEAD_MS = 50;

/** What the terminal makes an interrupt of, except while it gives every key as it is. */
const CTRL_C = '\u0003';

/** Keys that were pressed before the question, during a scan of an hour perhaps, are no answer to it. */
async function dropTypedAhead(stdin: CliContext['stdin'], interrupt: () => void): Promise<void> {
  if (stdin.setRawMode === undefined) return;
  const drop = (keys: Buffer | string): void => {
    if (keys.includes(CTRL_C)) interrupt();
  };
  stdin.setRawMode(true);
  stdin.on('data', drop);
  await delay(TYPED_AHEAD_MS);
  // On a busy machine the time may be over before anything was read: an immediate comes after the reading.
  await afterReading();
  stdin.off('data', drop);
  stdin.pause();
  stdin.setRawMode(false);
}
