import { countOf, parseCountOrPercent, type CountOrPercent } from './count-or-percent.ts';

/** How many nodes may be in flight at once, from 1 or from 1 %. */
export type MaxParallel = CountOrPercent;

export type ParsedMaxParallel =
  { readonly ok: true; readonly maxParallel: MaxParallel } | { readonly ok: false; /** What is allowed. */ readonly message: string };

const ALLOWED = 'Allowed are a whole number of nodes from 1, such as 20, and a percentage from 1% to 100%, such as "10%".';

export function parseMaxParallel(value: string | number): ParsedMaxParallel {
  const parsed = parseCountOrPercent(value);
  const isAny = parsed !== null && (parsed.kind === 'count' ? parsed.count : parsed.percent) > 0;
  return isAny ? { ok: true, maxParallel: parsed } : { ok: false, message: ALLOWED };
}

/**
 * Ten per cent strains a registry, an API server and the workloads little, and ends a run in ten waves; below ten nodes a wave is too small to
 * matter, above two hundred their answers come too fast for one coordinator.
 */
const DEFAULT: MaxParallel = { kind: 'percent', percent: 10 };
const DEFAULT_LEAST = 10;
const DEFAULT_MOST = 200;

/** The number that holds for a run over so many nodes; null: nothing is set. Per cent are rounded down, but never to none. */
export function countOfMaxParallel(setting: MaxParallel | null, nodes: number): number {
  if (setting === null) return Math.min(Math.max(countOf(DEFAULT, nodes), DEFAULT_LEAST), DEFAULT_MOST);
  return Math.max(countOf(setting, nodes), 1);
}
