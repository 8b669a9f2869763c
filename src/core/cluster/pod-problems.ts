import type { EraserConfig } from '../../api/eraser-config.ts';
import { formatPath, shorten, type Problem } from '../../api/problem.ts';
import { isSubdomain, labelKeyFault, labelValueFault } from './label-grammar.ts';

/** What the API server would refuse in every worker pod, beside its volumes: told once, rather than of each node in each run. */
export function podProblems({ additionalPodLabels, priorityClassName }: EraserConfig['manager']): Problem[] {
  const labels = Object.entries(additionalPodLabels).flatMap(([key, value]): Problem[] => {
    const message = labelKeyFault(key) ?? labelValueFault(value);
    return message === null ? [] : [{ path: formatPath(['manager', 'additionalPodLabels', key]), message }];
  });
  if (priorityClassName === '' || isSubdomain(priorityClassName)) return labels;
  const message = `"${shorten(priorityClassName)}" is no name of a priority class; allowed are small letters, digits, "-" and "."`;
  return [...labels, { path: 'manager.priorityClassName', message }];
}
