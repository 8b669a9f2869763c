import type { BenchmarkResult, Figure } from './figure.ts';
import { median } from './statistics.ts';

export interface MissedBudget {
  readonly benchmark: string;
  readonly figure: Figure;
  readonly value: number;
  /** After scaling. */
  readonly budget: number;
}

/**
 * The figures that are over their budgets. A figure without samples or with one that is no number misses: a benchmark that measured nothing has
 * shown nothing. @param scale every budget is multiplied by it, to see budgets fail
 */
export function findMissedBudgets(results: readonly BenchmarkResult[], scale = 1): MissedBudget[] {
  return results.flatMap(({ name, figures }) =>
    figures.flatMap((figure) => {
      if (figure.budget === null) return [];
      const value = figure.samples.length === 0 ? Number.NaN : median(figure.samples);
      const budget = figure.budget * scale;
      return value <= budget ? [] : [{ benchmark: name, figure, value, budget }];
    }),
  );
}
