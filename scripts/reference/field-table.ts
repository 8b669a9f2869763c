import type { FieldRow } from './field-rows.ts';

export function markdownTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n');
}

/** The table of a page's fields. */
export function fieldTable(rows: readonly FieldRow[]): string {
  return markdownTable(
    ['field', 'type', 'default', 'meaning'],
    rows.map((row) => [`\`${row.path}\``, row.type, row.default ?? (row.required ? 'required' : '-'), row.meaning]),
  );
}
