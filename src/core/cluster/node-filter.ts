import type { EraserConfig } from '../../api/eraser-config.ts';
import type { Parsed, Problem } from '../../api/problem.ts';
import { matchesLabels, type Labels, type LabelSelector } from './label-selector.ts';
import { parseLabelSelector } from './parse-label-selector.ts';

/** `manager.nodeFilter`, ready to be asked. */
export interface NodeFilter {
  /** Whether nodes that a selector matches are left out, or are the only ones that take part. */
  readonly type: 'exclude' | 'include';
  readonly selectors: readonly LabelSelector[];
}

/** Always among the selectors, whatever the configuration says. */
export const FILTER_LABEL = 'eraser.sh/cleanup.filter';

export function parseNodeFilter({ type, selectors }: EraserConfig['manager']['nodeFilter']): Parsed<NodeFilter> {
  const errors: Problem[] = [];
  const parsed: LabelSelector[] = [];
  for (const [at, text] of (selectors.includes(FILTER_LABEL) ? selectors : [...selectors, FILTER_LABEL]).entries()) {
    const result = parseLabelSelector(text);
    if (result.ok) parsed.push(result.selector);
    else errors.push({ path: `manager.nodeFilter.selectors[${at}]`, message: `"${text}" is no label selector: ${result.message}` });
  }
  return errors.length === 0 ? { ok: true, value: { type, selectors: parsed } } : { ok: false, errors };
}

/** The first selector that matches; null: none does. */
export function findSelector({ selectors }: NodeFilter, labels: Labels): string | null {
  return selectors.find((selector) => matchesLabels(selector, labels))?.text ?? null;
}
