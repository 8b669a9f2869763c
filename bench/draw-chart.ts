/** A value by size: a bar for each size, of one part or of several that add up. */
export interface Chart {
  /** Of the file. */
  readonly name: string;
  readonly title: string;
  readonly unit: string;
  readonly bars: readonly Bar[];
}

export interface Bar {
  readonly label: string;
  readonly parts: readonly { readonly name: string; readonly value: number }[];
  /** null: it has none. */
  readonly budget: number | null;
}

const SIZE = { width: 640, height: 360 };
const PLOT = { left: 64, right: 480, top: 48, bottom: 312 };
/** Told apart also by who does not see all colours (Okabe and Ito). */
const COLOURS = ['#0072b2', '#e69f00', '#009e73', '#cc79a7', '#56b4e9', '#d55e00', '#999999'];
const TICKS = 5;

/** As SVG, which needs nothing else. */
export function drawChart({ title, unit, bars }: Chart): string {
  const names = [...new Set(bars.flatMap(({ parts }) => parts.map(({ name }) => name)))];
  const most = Math.max(...bars.flatMap(({ parts, budget }) => [sum(parts), budget ?? 0]));
  const step = roundedUp(most / TICKS);
  const yOf = (value: number): number => PLOT.bottom - (value / (step * TICKS)) * (PLOT.bottom - PLOT.top);
  const slot = (PLOT.right - PLOT.left) / bars.length;
  const ticks = Array.from({ length: TICKS + 1 }, (_, at) => at * step);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${String(SIZE.width)} ${String(SIZE.height)}" font-family="sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="#ffffff"/>`,
    text({ x: PLOT.left, y: 24, said: `${title} (${unit})`, more: 'font-size="15"' }),
    ...ticks.flatMap((value) => [
      `<line x1="${at(PLOT.left)}" x2="${at(PLOT.right)}" y1="${at(yOf(value))}" y2="${at(yOf(value))}" stroke="#dddddd"/>`,
      text({ x: PLOT.left - 8, y: yOf(value) + 4, said: readable(value), more: 'text-anchor="end"' }),
    ]),
    ...bars.flatMap((bar, place) => drawBar(bar, { x: PLOT.left + slot * place, slot, names, yOf })),
    ...names.flatMap((name, place) => [
      `<rect x="${at(PLOT.right + 16)}" y="${at(PLOT.top + place * 20)}" width="12" height="12" fill="${colourOf(place)}"/>`,
      text({ x: PLOT.right + 34, y: PLOT.top + place * 20 + 10, said: name }),
    ]),
    '</svg>',
    '',
  ].join('\n');
}

interface BarPlace {
  readonly x: number;
  readonly slot: number;
  readonly names: readonly string[];
  readonly yOf: (value: number) => number;
}

function drawBar({ label, parts, budget }: Bar, { x, slot, names, yOf }: BarPlace): string[] {
  const width = slot * 0.6;
  const left = x + (slot - width) / 2;
  const drawn: string[] = [];
  let below = 0;
  for (const { name, value } of parts) {
    const height = yOf(below) - yOf(below + value);
    const title = `<title>${escaped(`${label}, ${name}: ${readable(value)}`)}</title>`;
    const place = `x="${at(left)}" y="${at(yOf(below + value))}" width="${at(width)}" height="${at(height)}"`;
    drawn.push(`<rect ${place} fill="${colourOf(names.indexOf(name))}">${title}</rect>`);
    below += value;
  }
  drawn.push(text({ x: x + slot / 2, y: yOf(below) - 6, said: readable(below), more: 'text-anchor="middle"' }));
  drawn.push(text({ x: x + slot / 2, y: PLOT.bottom + 20, said: label, more: 'text-anchor="middle"' }));
  if (budget !== null) {
    const y = at(yOf(budget));
    drawn.push(
      `<line x1="${at(x + 4)}" x2="${at(x + slot - 4)}" y1="${y}" y2="${y}" stroke="#d55e00" stroke-width="2" stroke-dasharray="6 3"/>`,
    );
    drawn.push(text({ x: x + slot - 4, y: yOf(budget) - 4, said: `budget ${readable(budget)}`, more: 'text-anchor="end" fill="#d55e00"' }));
  }
  return drawn;
}

function text({
  x,
  y,
  said,
  more = '',
}: {
  readonly x: number;
  readonly y: number;
  readonly said: string;
  readonly more?: string;
}): string {
  return `<text x="${at(x)}" y="${at(y)}" ${more}>${escaped(said)}</text>`;
}

function sum(parts: Bar['parts']): number {
  return parts.reduce((total, { value }) => total + value, 0);
}

/** To 1, 2 or 5 times a power of ten. */
function roundedUp(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5, 10].find((factor) => factor * power >= value) ?? 10) * power;
}

function readable(value: number): string {
  return value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}

function at(place: number): string {
  return place.toFixed(1);
}

function colourOf(place: number): string {
  return COLOURS[Math.min(place, COLOURS.length - 1)] ?? '';
}

function escaped(said: string): string {
  return said.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
