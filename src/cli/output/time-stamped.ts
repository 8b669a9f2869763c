import { Writable } from 'node:stream';
import type { CliContext, OutputStream } from '../context.ts';

/**
 * A stream for the log of a process that stays: each line begins with the time (UTC). A terminal needs none of it, and the journal of systemd
 * has times of its own.
 */
export function withTimeStamps({ env, now }: Pick<CliContext, 'env' | 'now'>, stream: OutputStream): OutputStream {
  if (stream.isTTY === true || env['JOURNAL_STREAM'] !== undefined) return stream;
  let isLineBegun = false;
  return new Writable({
    decodeStrings: false,
    write(chunk: string | Buffer, _encoding, done) {
      const pieces = chunk
        .toString()
        .split(/(?<=\n)/)
        .filter((piece) => piece !== '');
      for (const piece of pieces) {
        stream.write(isLineBegun || piece === '\n' ? piece : `${new Date(now()).toISOString()} ${piece}`);
        isLineBegun = !piece.endsWith('\n');
      }
      done();
    },
  });
}
