import type { BenchmarkResult, Figure, VariantResult } from './figure.ts';
import type { MissedBudget } from './judge.ts';
import { median, spread } from './statistics.ts';

export type TableFormat = 'text' | 'markdown';

/** Two tables: what was measured of each variant, and the figures with their budgets. Medians, with the least and the greatest. */
export function formatResults(results: readonly BenchmarkResult[], format: TableFormat): string {
  const variants = results.flatMap((result) => result.variants.map((variant) => variantRow(result, variant)));
  const figures = results.flatMap(({ name, figures: all }) => all.map((figure) => figureRow(name, figure)));
  return [
    table(['benchmark', 'variant', 'wall s', 'CPU s', 'peak RSS MiB', 'runs'], variants, format),
    table(['benchmark', 'figure', 'median', 'least to greatest', 'budget'], figures, format),
  ].join('\n');
}

export function formatMissed({ benchmark, figure, value, budget }: MissedBudget): string {
  return `missed: ${benchmark}: ${figure.name} is ${inUnit(value, figure.unit)}, and may be at most ${inUnit(budget, figure.unit)}`;
}

function variantRow({ name }: BenchmarkResult, { name: variant, measurements }: VariantResult): string[] {
  const rss = measurements.flatMap(({ peakRssBytes }) => (peakRssBytes === null ? [] : [peakRssBytes / MIB]));
  return [
    name,
    variant,
    seconds(measurements.map(({ wallMs }) => wallMs)),
    seconds(measurements.map(({ cpuMs }) => cpuMs)),
    rss.length === 0 ? '-' : median(rss).toFixed(0),
    String(measurements.length),
  ];
}

function figureRow(benchmark: string, { name, unit, samples, budget }: Figure): string[] {
  const [least, greatest] = spread(samples);
  return [
    benchmark,
    name,
    inUnit(median(samples), unit),
    `${inUnit(least, unit)} to ${inUnit(greatest, unit)}`,
    budget === null ? '-' : `at most ${inUnit(budget, unit)}`,
  ];
}

const MIB = 1024 * 1024;

function seconds(samples: readonly number[]): string {
  const [least, greatest] = spread(samples);
  const inSeconds = (ms: number): string => (ms / 1_000).toFixed(2);
  return `${inSeconds(median(samples))} (${inSeconds(least)} to ${inSeconds(greatest)})`;
}

function inUnit(value: number, unit: Figure['unit']): string {
  switch (unit) {
    case 'ratio':
      return value.toFixed(2);
    case 'runs':
      return value.toFixed(0);
    case 'ms':
    case 'MiB':
      return `${value.toFixed(0)} ${unit}`;
  }
}

function table(headings: readonly string[], rows: readonly (readonly string[])[], format: TableFormat): string {
  const lines = [headings, ...rows];
  const widths = headings.map((_heading, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)));
  const padded = lines.map((line) => line.map((cell, column) => cell.padEnd(widths[column] ?? 0)));
  if (format === 'text') return padded.map((line) => `${line.join('   ').trimEnd()}\n`).join('');
  const rule = widths.map((width) => '-'.repeat(width));
  return padded
    .toSpliced(1, 0, rule)
    .map((line) => `| ${line.join(' | ')} |\n`)
    .join('');
}
