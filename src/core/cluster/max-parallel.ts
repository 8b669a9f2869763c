/** How many nodes may be in flight at once. `percent`: of the nodes that take part, from above 0 to 100. */
export type MaxParallel = { readonly kind: 'count'; readonly count: number } | { readonly kind: 'percent'; readonly percent: number };

export type ParsedMaxParallel =
  { readonly ok: true; readonly maxParallel: MaxParallel } | { readonly ok: false; /** What is allowed. */ readonly message: string };

const ALLOWED = 'Allowed are a whole number of nodes from 1, such as 20, and a percentage from 1% to 100%, such as "10%".';

/** `20`, `"20"` or `"10%"`, as Kubernetes takes `maxUnavailable`. */
export function parseMaxParallel(value: string | number): ParsedMaxParallel {
  const [, digits, sign] = /^([1-9][0-9]{0,8})(%?)$/.exec(String(value).trim()) ?? [];
  if (digits === undefined) return { ok: false, message: ALLOWED };
  const number = Number(digits);
  if (sign !== '%') return { ok: true, maxParallel: { kind: 'count', count: number } };
  return number > 100 ? { ok: false, message: ALLOWED } : { ok: true, maxParallel: { kind: 'percent', percent: number } };
}

/**
 * Ten per cent strains a registry, an API server and the workloads little, and ends a run in ten waves; below ten nodes a wave is too small to
 * matter, above two hundred their answers come too fast for one coordinator.
 */
const DEFAULT_PERCENT = 10;
const DEFAULT_LEAST = 10;
const DEFAULT_MOST = 200;

/** The number that holds for a run over so many nodes; null: nothing is set. Per cent are rounded down, but never to none. */
export function countOfMaxParallel(setting: MaxParallel | null, nodes: number): number {
  if (setting === null) return Math.min(Math.max(share(nodes, DEFAULT_PERCENT), DEFAULT_LEAST), DEFAULT_MOST);
  return Math.max(setting.kind === 'count' ? Math.floor(setting.count) : share(nodes, setting.percent), 1);
}

function share(nodes: number, percent: number): number {
  return Math.floor((nodes * percent) / 100);
}
