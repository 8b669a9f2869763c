import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { writeDocument, type OutputDocument, type OutputFormat } from './write-document.ts';

function written(format: OutputFormat, document: OutputDocument): string {
  const stream = new PassThrough();
  writeDocument(stream, format, document, () => 'the table\n');
  stream.end();
  return String(stream.read());
}

describe('writeDocument', () => {
  const documents: readonly OutputDocument[] = [
    { name: 'a\nb', count: 1, nested: { list: [1, { deep: ['x'] }] }, empty: [], nothing: null, items: [{ a: 1, b: ['c\n', 'd'] }, 'e'] },
    [{ a: 1 }, [2, 3], 'text', null],
    [],
  ];

  test('writes JSON as JSON.stringify does', () => {
    for (const document of documents) expect(written('json', document)).toBe(`${JSON.stringify(document, null, 2)}\n`);
  });

  test('writes YAML that reads back as it was', () => {
    for (const document of documents) expect(parse(written('yaml', document))).toEqual(document);
  });

  test('writes the table of the caller', () => {
    expect(written('table', {})).toBe('the table\n');
  });
});
