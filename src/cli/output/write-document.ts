import { stringify } from 'yaml';
import type { OutputStream } from '../context.ts';

export const OUTPUT_FORMATS = ['table', 'json', 'yaml'] as const;
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

/** Writes a document in the chosen format; `table` is the caller's own. */
export function writeDocument(stdout: OutputStream, format: OutputFormat, document: unknown, table: () => string): void {
  switch (format) {
    case 'json':
      stdout.write(`${JSON.stringify(document, null, 2)}\n`);
      return;
    case 'yaml':
      stdout.write(stringify(document, { aliasDuplicateObjects: false }));
      return;
    case 'table':
      stdout.write(table());
  }
}
