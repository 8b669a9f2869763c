import { stringify } from 'yaml';
import type { OutputStream } from '../context.ts';

export const OUTPUT_FORMATS = ['table', 'json', 'yaml'] as const;
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

export type OutputDocument = Readonly<Record<string, unknown>> | readonly unknown[];

/** Writes a document in the chosen format; `table` is the caller's own. */
export function writeDocument(stdout: OutputStream, format: OutputFormat, document: OutputDocument, table: () => string): void {
  if (format === 'table') {
    stdout.write(table());
    return;
  }
  for (const piece of format === 'json' ? jsonPieces(document) : yamlPieces(document)) stdout.write(piece);
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

const YAML_OPTIONS = { aliasDuplicateObjects: false, indentSeq: false } as const;

function* yamlPieces(document: OutputDocument): Generator<string> {
  if (isList(document)) {
    if (document.length === 0) yield '[]\n';
    for (const item of document) yield stringify([item], YAML_OPTIONS);
    return;
  }
  for (const [key, value] of Object.entries(document)) {
    if (!isList(value) || value.length === 0) yield stringify({ [key]: value }, YAML_OPTIONS);
    else {
      yield `${key}:\n`;
      for (const item of value) yield stringify([item], YAML_OPTIONS);
    }
  }
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}
