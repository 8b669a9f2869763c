import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { OutputDocument } from './output-document.ts';
import { writeDocument, type OutputFormat } from './write-document.ts';

async function written(format: OutputFormat, document: OutputDocument): Promise<string> {
  const stream = new PassThrough();
  await writeDocument(stream, format, document, () => 'the table\n');
  stream.end();
  return String(stream.read());
}

describe('writeDocument', () => {
  const documents: readonly OutputDocument[] = [
    { name: 'a\nb', count: 1, nested: { list: [1, { deep: ['x'] }] }, empty: [], nothing: null, items: [{ a: 1, b: ['c\n', 'd'] }, 'e'] },
    [{ a: 1 }, [2, 3], 'text', null],
    [],
  ];

  test('writes JSON as JSON.stringify does', async () => {
    for (const document of documents) expect(await written('json', document)).toBe(`${JSON.stringify(document, null, 2)}\n`);
  });

  test('writes YAML that reads back as it was', async () => {
    for (const document of documents) expect(parse(await written('yaml', document))).toEqual(document);
  });

  test('writes no character that a terminal takes for a command, or that hides in a text, and reads back as it was', async () => {
    const texts = [
      'a\u001b[31m',
      'a\u009b1m',
      'rtl\u202egpj',
      '\ufeffx',
      'x\u007f',
      'a\u2028b\nc',
      'half \ud800',
      'tag \u{e0041}',
      'a: b\ttab',
      'ä 😀',
    ];
    const document = { text: texts.join(' '), texts, nested: [{ texts }] };
    for (const [format, read] of [
      ['json', (json: string): unknown => JSON.parse(json)],
      ['yaml', (yaml: string): unknown => parse(yaml)],
    ] as const) {
      const text = await written(format, document);
      expect(text.replaceAll(/[\n\t]/g, '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u);
      expect(text).toContain('ä 😀');
      expect(read(text)).toEqual(document);
    }
  });

  test('writes the table of the caller', async () => {
    expect(await written('table', {})).toBe('the table\n');
  });
});
