import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CutLine, splitLines } from './split-lines.ts';

async function* inChunks(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (const size of sizes) {
    yield await Promise.resolve(bytes.subarray(at, at + size));
    at += size;
  }
  yield bytes.subarray(at);
}

test('lines come whole, wherever the bytes were cut', async () => {
  const line = fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => !text.includes('\n') && text.trim() !== '');
  await fc.assert(
    fc.asyncProperty(fc.array(line), fc.array(fc.integer({ min: 0, max: 7 })), async (lines, sizes) => {
      const bytes = Buffer.from(lines.map((text) => `${text}\n`).join(''));
      const read: string[] = [];
      for await (const text of splitLines(inChunks(bytes, sizes))) read.push(text);
      expect(read).toEqual(lines);
    }),
  );
});

test('an end within a line is told', async () => {
  const lines: string[] = [];
  const read = async (): Promise<void> => {
    for await (const line of splitLines(inChunks(Buffer.from('one\ntw'), []))) lines.push(line);
  };
  await expect(read()).rejects.toThrow(CutLine);
  expect(lines).toEqual(['one']);
});
