/** Columns under headings, without borders, as kubectl prints them: each row is one line, for `grep` and `awk`. */
export function formatTable(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [headings, ...rows];
  const widths = headings.map((_heading, column) => lines.reduce((most, line) => Math.max(most, width(line[column] ?? '')), 0));
  const format = (line: readonly string[]): string =>
    line.map((cell, column) => cell + ' '.repeat(Math.max((widths[column] ?? 0) - width(cell), 0))).join(GAP);
  return lines.map((line) => `${format(line).trimEnd()}\n`).join('');
}

const GAP = '   ';

/** Colours take no room. */
function width(cell: string): number {
  // eslint-disable-next-line no-control-regex -- the escape sequences of colours
  return cell.replaceAll(/\u001b\[\d+m/g, '').length;
}
