import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatTable } from './format-table.ts';
import { wrapText } from './wrap-text.ts';

const HEADINGS = ['DECISION', 'IMAGE', 'SIZE', 'REASON'];
const NAME = 'registry.example.com/team/service:1.25.3-alpine';
const REASON = 'vulnerable: CVE-2026-10001 (CRITICAL), CVE-2026-10002 (HIGH) and 12 more';
const ROWS = [
  ['remove', NAME, '7.0 MiB', REASON],
  ['keep', 'shop:2.1', '2.9 MiB', 'in use'],
];
const lines = (table: string): string[] => table.trimEnd().split('\n');
const longest = (table: string): number => Math.max(...lines(table).map(({ length }) => length));
const letters = (text: string): string => text.replaceAll(/\s/g, '');

describe('formatTable', () => {
  test.each([null, 200])('each row is one line where there is room, and where nobody knows (%s columns)', (columns) => {
    const table = formatTable(HEADINGS, ROWS, columns);
    expect(lines(table)).toHaveLength(3);
    expect(lines(table)[1]).toBe(`remove     ${NAME}   7.0 MiB   ${REASON}`);
  });

  test('long cells are wrapped within their columns', () => {
    expect(formatTable(HEADINGS, ROWS, 80)).toBe(
      [
        'DECISION   IMAGE                          SIZE      REASON',
        'remove     registry.example.com/team/     7.0 MiB   vulnerable: CVE-2026-10001',
        '           service:1.25.3-alpine                    (CRITICAL), CVE-2026-10002',
        '                                                    (HIGH) and 12 more',
        'keep       shop:2.1                       2.9 MiB   in use',
        '',
      ].join('\n'),
    );
  });

  test('on a narrow terminal each row is a block', () => {
    expect(formatTable(HEADINGS, ROWS, 20).split('\n').slice(0, 9)).toEqual([
      ...['DECISION: remove', 'IMAGE:', '  registry.example.c', '  om/team/service:1.', '  25.3-alpine', 'SIZE: 7.0 MiB'],
      ...['REASON:', '  vulnerable:', '  CVE-2026-10001'],
    ]);
    expect(formatTable(HEADINGS, ROWS, 40)).toBe(
      [
        'DECISION: remove',
        'IMAGE:',
        '  registry.example.com/team/',
        '  service:1.25.3-alpine',
        'SIZE: 7.0 MiB',
        'REASON:',
        '  vulnerable: CVE-2026-10001 (CRITICAL),',
        '  CVE-2026-10002 (HIGH) and 12 more',
        '',
        'DECISION: keep   IMAGE: shop:2.1',
        'SIZE: 2.9 MiB   REASON: in use',
        '',
      ].join('\n'),
    );
  });

  test('colours take no room, and stay whole', () => {
    const red = '\u001b[31mremove\u001b[39m';
    const table = formatTable(HEADINGS, [[red, NAME, '7.0 MiB', REASON]], 80);
    expect(table.replace(red, 'remove')).toBe(formatTable(HEADINGS, ROWS.slice(0, 1), 80));
    expect(formatTable(HEADINGS, [[red, 'a', 'b', 'c']], 20)).toContain(`DECISION: ${red}\n`);
  });

  test('whatever the width, no line is longer and nothing is lost', () => {
    const cell = fc.array(fc.stringMatching(/^[a-z/:.0-9]{1,60}$/), { maxLength: 12 }).map((words) => words.join(' '));
    const row = fc.tuple(cell, cell, cell, cell);
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 5 }), fc.integer({ min: 12, max: 200 }), (rows, columns) => {
        const table = formatTable(HEADINGS, rows, columns);
        expect(longest(table)).toBeLessThanOrEqual(columns);
        for (const text of rows.flat()) if (columns < 40) expect(letters(table)).toContain(letters(text));
      }),
    );
  });
});

test.each([
  ['one two three', 7, ['one two', 'three']],
  ['one', 3, ['one']],
  ['', 3, ['']],
  ['abcdefgh ij', 3, ['abc', 'def', 'gh', 'ij']],
  ['ab cdefgh', 4, ['ab', 'cdef', 'gh']],
  ['ghcr.io/acme/app:1', 10, ['ghcr.io/', 'acme/app:1']],
  ['a/bcdefghijklm', 10, ['a/bcdefghi', 'jklm']],
])('wrapText %j in %d columns', (text, columns, wrapped) => {
  expect(wrapText(text, columns)).toEqual(wrapped);
});
