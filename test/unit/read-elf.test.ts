import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { readElf } from '../../scripts/images/read-elf.ts';

test('what Node is linked with is read from it', async () => {
  const { interpreter, libraries } = readElf(await readFile(process.execPath));
  expect(interpreter).toMatch(/^\/lib.*\/ld-linux-.+\.so\.\d$/);
  expect(libraries).toEqual(expect.arrayContaining(['libc.so.6', 'libstdc++.so.6', 'libgcc_s.so.1']));
});

test('what esbuild, which is linked statically, needs is nothing', async () => {
  const esbuild = new URL(`../../node_modules/@esbuild/linux-${process.arch}/bin/esbuild`, import.meta.url);
  expect(readElf(await readFile(esbuild))).toEqual({ interpreter: null, libraries: [] });
});

test.each([
  ['a script', Buffer.from(`#!/bin/sh\n${' '.repeat(64)}`)],
  ['an empty file', Buffer.alloc(0)],
  ['a 32-bit program', Buffer.from('\x7fELF\x01\x01'.padEnd(64, '\0'), 'latin1')],
])('%s is refused', (_, file) => {
  expect(() => readElf(file)).toThrow(RangeError);
});
