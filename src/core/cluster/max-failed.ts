import type { Parsed } from '../../api/problem.ts';
import { countOf, parseCountOrPercent, type CountOrPercent } from './count-or-percent.ts';

/** How many nodes may fail before a run begins with no others. */
export type MaxFailed = CountOrPercent;

const ALLOWED = 'Allowed are a whole number of nodes from 0, such as 5, and a percentage from 0% to 100%, such as "10%".';

export function parseMaxFailed(value: string | number, path: string): Parsed<MaxFailed> {
  const parsed = parseCountOrPercent(value);
  return parsed === null ? { ok: false, errors: [{ path, message: ALLOWED }] } : { ok: true, value: parsed };
}

/** The number that holds for a run over so many nodes; Infinity: nothing is set. */
export function countOfMaxFailed(setting: MaxFailed | null, nodes: number): number {
  return setting === null ? Infinity : countOf(setting, nodes);
}
