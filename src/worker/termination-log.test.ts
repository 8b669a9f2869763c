import { expect, test } from 'vitest';
import { makeFailedResult } from './node-result.ts';
import { formatEnd, formatTotals } from './termination-log.ts';

const FRAME = { mode: 'automatic', startedAt: 0, endedAt: 1000 } as const;

test.each([
  ['plain', 'x'.repeat(10_000)],
  ['of other scripts', '日本'.repeat(5_000)],
  ['of control characters', '\u0001'.repeat(10_000)],
])('a long message, %s, is cut so that the kubelet keeps all of the JSON', (_, message) => {
  for (const text of [formatTotals(makeFailedResult(FRAME, 'failed', message)), formatEnd('failed', message)]) {
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(4096);
    const said = JSON.parse(text) as { state: string; message: string };
    expect(said.state).toBe('failed');
    expect(said.message.length).toBeGreaterThan(250);
    expect(message.startsWith(said.message.slice(0, -1))).toBe(true);
  }
});

test('without a message there is none', () => {
  expect(JSON.parse(formatTotals({ ...makeFailedResult(FRAME, 'completed', ''), message: null }))).toMatchObject({ message: null });
});
