/** So many nodes, or a part of those that take part in a run. */
export type CountOrPercent = { readonly kind: 'count'; readonly count: number } | { readonly kind: 'percent'; readonly percent: number };

/** `20`, `"20"` or `"10%"`, as Kubernetes takes `maxUnavailable`; null: none of these. */
export function parseCountOrPercent(value: string | number): CountOrPercent | null {
  const [, digits, sign] = /^(0|[1-9][0-9]{0,8})(%?)$/.exec(String(value).trim()) ?? [];
  if (digits === undefined) return null;
  const number = Number(digits);
  if (sign !== '%') return { kind: 'count', count: number };
  return number > 100 ? null : { kind: 'percent', percent: number };
}

/** Per cent are rounded down. */
export function countOf(setting: CountOrPercent, nodes: number): number {
  return Math.floor(setting.kind === 'count' ? setting.count : (nodes * setting.percent) / 100);
}
