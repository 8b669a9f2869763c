import { describe, expect, test } from 'vitest';
import type { BenchmarkResult, Figure } from './figure.ts';
import { findMissedBudgets } from './judge.ts';

const figure = (samples: readonly number[], budget: number | null): Figure => ({ name: 'wall time', unit: 'ratio', samples, budget });
const result = (...figures: Figure[]): BenchmarkResult => ({ name: 'removal', title: '', variants: [], figures });

describe('findMissedBudgets', () => {
  test.each<[name: string, samples: number[], budget: number | null, missed: boolean]>([
    ['under', [0.5, 0.6, 0.4], 0.65, false],
    ['just met', [0.65], 0.65, false],
    ['over', [0.66], 0.65, true],
    ['over in the median, not in the mean', [0.1, 0.66, 0.67], 0.65, true],
    ['under in the median, with an outlier', [0.5, 0.6, 9], 0.65, false],
    ['of an even number of samples', [0.6, 0.7], 0.65, false],
    ['not a single one allowed', [0, 1, 1], 0, true],
    ['without a budget', [100], null, false],
    ['without a sample', [], 0.65, true],
    ['with a sample that is no number', [Number.NaN], 0.65, true],
  ])('%s', (_name, samples, budget, missed) => {
    expect(findMissedBudgets([result(figure(samples, budget))])).toHaveLength(missed ? 1 : 0);
  });

  test('names what missed, and by how much', () => {
    const missed = findMissedBudgets([result(figure([0.5], 0.65), figure([0.9, 0.7, 0.8], 0.65))]);
    expect(missed).toEqual([{ benchmark: 'removal', figure: figure([0.9, 0.7, 0.8], 0.65), value: 0.8, budget: 0.65 }]);
  });

  test('a scale of a hundredth makes every budget fail', () => {
    expect(findMissedBudgets([result(figure([0.5], 0.65))], 0.01)).toMatchObject([
      { value: 0.5, budget: expect.closeTo(0.0065) as number },
    ]);
  });
});
