import { wrapText } from './wrap-text.ts';

/**
 * Columns under headings, without borders, as kubectl prints them: each row is one line, for `grep` and `awk`. On a terminal (`columns`; null: it is
 * none, or does not say) where that does not fit, long cells are wrapped within their columns; where not even that does, each row is a block of
 * lines.
 */
export function formatTable(headings: readonly string[], rows: readonly (readonly string[])[], columns: number | null): string {
  const lines = [headings, ...rows];
  const natural = headings.map((_heading, column) => lines.reduce((most, line) => Math.max(most, width(line[column] ?? '')), 0));
  if (columns === null || total(natural) <= columns) return lines.map((line) => formatLine(line, natural)).join('');
  const fitted = fit(natural, columns);
  return fitted === null ? formatBlocks(headings, rows, columns) : lines.map((line) => formatWrapped(line, fitted)).join('');
}

const GAP = '   ';

/** Colours take no room. */
function width(cell: string): number {
  // eslint-disable-next-line no-control-regex -- the escape sequences of colours
  return cell.replaceAll(/\u001b\[\d+m/g, '').length;
}

function total(widths: readonly number[]): number {
  return widths.reduce((sum, one) => sum + one, 0) + GAP.length * (widths.length - 1);
}

function formatLine(line: readonly string[], widths: readonly number[]): string {
  const cells = line.map((cell, column) => cell + ' '.repeat(Math.max((widths[column] ?? 0) - width(cell), 0)));
  return `${cells.join(GAP).trimEnd()}\n`;
}

/** What a name or a reason can be read in. */
const NARROWEST = 24;

/** Widths with which the table fits, the widest columns made narrower; null: they would be too narrow to read. */
function fit(natural: readonly number[], columns: number): number[] | null {
  const widths = [...natural];
  for (let excess = total(widths) - columns; excess > 0; excess = total(widths) - columns) {
    const widest = Math.max(...widths);
    if (widest <= NARROWEST) return null;
    // Down to the next one, or all the way.
    const next = Math.max(NARROWEST, ...widths.filter((one) => one < widest));
    const at = widths.indexOf(widest);
    const alike = widths.filter((one) => one === widest).length;
    widths[at] = alike > 1 ? widest - 1 : Math.max(widest - excess, next);
  }
  return widths;
}

function formatWrapped(line: readonly string[], widths: readonly number[]): string {
  const cells = line.map((cell, column) => wrapped(cell, widths[column] ?? NARROWEST));
  const height = Math.max(...cells.map(({ length }) => length));
  return Array.from({ length: height }, (_line, at) =>
    formatLine(
      cells.map((cell) => cell[at] ?? ''),
      widths,
    ),
  ).join('');
}

/** Cells with colours are single words, which stay whole. */
function wrapped(cell: string, columns: number): string[] {
  return width(cell) <= columns ? [cell] : wrapText(cell, columns);
}

const INDENT = '  ';

/** Each cell after its heading, several in a line where they fit, or below it where the line ends too soon; a blank line between rows. */
function formatBlocks(headings: readonly string[], rows: readonly (readonly string[])[], columns: number): string {
  return rows.map((row) => formatBlock(headings, row, columns)).join('\n');
}

function formatBlock(headings: readonly string[], row: readonly string[], columns: number): string {
  const lines: string[] = [];
  let line = '';
  const end = (): void => {
    if (line !== '') lines.push(line);
    line = '';
  };
  for (const [at, heading] of headings.entries()) {
    const cell = (row[at] ?? '').trim();
    if (cell === '') continue;
    const entry = `${heading.trim()}: ${cell}`;
    const longer = line === '' ? entry : line + GAP + entry;
    if (width(longer) <= columns) {
      line = longer;
      continue;
    }
    end();
    if (width(entry) <= columns) line = entry;
    else lines.push(`${heading.trim()}:`, ...wrapped(cell, Math.max(columns - INDENT.length, 1)).map((part) => INDENT + part));
  }
  end();
  return lines.map((text) => `${text}\n`).join('');
}
