import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const text = await readFile(`${root}docs/security.md`, 'utf8');
const cells = text
  .split('\n')
  .flatMap((line) => [...line.matchAll(/`((?:src|test)\/[\w./-]+(?:\.test|-contract)\.ts)`(?:: ([^|]*?))?(?= \||\)\.|\)$|\.$)/g)]);
const named = cells.map(([, file = '', name = '']) => [file, name.trim()] as const);

test('each row of the table of what a node cannot do names a test', () => {
  const [, table = ''] = /\| claim \| test \|\n\| --- \| --- \|\n((?:\|.*\n)+)/.exec(text) ?? [];
  const rows = table.trim().split('\n');
  expect(rows.length).toBeGreaterThan(10);
  expect(rows.filter((row) => !/\| `(src|test)\/[\w./-]+(\.test|-contract)\.ts`: .+ \|$/.test(row))).toEqual([]);
});

test.each(named)('%s has the test "%s"', async (file, name) => {
  expect(await readFile(root + file, 'utf8')).toContain(name === '' ? 'test(' : `('${name}'`);
});
