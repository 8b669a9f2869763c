import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { withTimeStamps } from './time-stamped.ts';

const now = (): number => Date.parse('2026-11-21T12:00:00Z');

function written(pieces: readonly string[], env: Readonly<Record<string, string>> = {}, isTTY = false): string {
  const stream = Object.assign(new PassThrough(), { isTTY });
  const stamped = withTimeStamps({ env, now }, stream);
  for (const piece of pieces) stamped.write(piece);
  return String(stream.read());
}

describe('withTimeStamps', () => {
  test('puts the time before each line, however it is written in pieces', () => {
    expect(written(['a', 'b\nc\n', '\n', 'd\n'])).toBe(
      '2026-11-21T12:00:00.000Z ab\n2026-11-21T12:00:00.000Z c\n\n2026-11-21T12:00:00.000Z d\n',
    );
  });

  test('leaves a terminal alone, and the journal, which has times of its own', () => {
    expect(written(['a\n'], {}, true)).toBe('a\n');
    expect(written(['a\n'], { JOURNAL_STREAM: '8:1234' })).toBe('a\n');
  });
});
