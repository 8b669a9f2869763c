import type { OutputStream } from '../context.ts';
import { escaped } from './escaped.ts';
import { isList, type OutputDocument } from './output-document.ts';

export const OUTPUT_FORMATS = ['table', 'json', 'yaml'] as const;
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

/** Writes a document in the chosen format; `table` is the caller's own. */
export async function writeDocument(
  stdout: OutputStream,
  format: OutputFormat,
  document: OutputDocument,
  table: () => string,
): Promise<void> {
  switch (format) {
    case 'table':
      stdout.write(table());
      return;
    case 'json':
      for (const piece of jsonPieces(document)) stdout.write(escaped(piece));
      return;
    case 'yaml': {
      const { yamlPieces } = await loadYaml();
      for (const piece of yamlPieces(document)) stdout.write(piece);
    }
  }
}

/**
 * Loads what a format takes that others do not. To be called before the work: that may take a day, and by its end the program's files may have
 * been replaced.
 */
export async function loadFormat(format: OutputFormat): Promise<void> {
  if (format === 'yaml') await loadYaml();
}

/** The one place that does, since Node looks for the file again for each. */
const loadYaml = () => import('./yaml-pieces.ts');

/** As the document of a list, but that no more than one of its items is held in memory at once. */
export async function writeJsonList(stdout: OutputStream, items: AsyncIterable<unknown>): Promise<void> {
  let isFirst = true;
  for await (const item of items) {
    stdout.write(escaped(`${isFirst ? '[' : ','}\n  ${indented(item, '  ')}`));
    isFirst = false;
  }
  stdout.write(isFirst ? '[]\n' : '\n]\n');
}

/**
 * As `JSON.stringify(document, null, 2)`, in pieces of one item of a list each: with the findings of thousands of images the whole is
 * longer than a string can be.
 */
function* jsonPieces(document: OutputDocument): Generator<string> {
  if (isList(document)) {
    yield* jsonList(document, '');
  } else {
    yield '{';
    for (const [at, [key, value]] of Object.entries(document).entries()) {
      yield `${at === 0 ? '' : ','}\n  ${JSON.stringify(key)}: `;
      if (isList(value)) yield* jsonList(value, '  ');
      else yield indented(value, '  ');
    }
    yield '\n}';
  }
  yield '\n';
}

function* jsonList(items: readonly unknown[], indent: string): Generator<string> {
  yield '[';
  for (const [at, item] of items.entries()) yield `${at === 0 ? '' : ','}\n${indent}  ${indented(item, `${indent}  `)}`;
  yield items.length === 0 ? ']' : `\n${indent}]`;
}

/** No string in JSON holds a line break, so each one found is between its parts. */
function indented(value: unknown, indent: string): string {
  return JSON.stringify(value, null, 2).replaceAll('\n', `\n${indent}`);
}
