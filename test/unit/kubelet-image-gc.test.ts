import { describe, expect, test } from 'vitest';
import { diskLimit, duration } from '../../src/cli/option-values.ts';
import { readAnswers, type Answer } from '../kubelet-image-gc/answers.ts';
import { DIFFERENCES, planWith, type Difference, type Known, type Outcome } from '../kubelet-image-gc/differences.ts';
import { liveThrough } from '../kubelet-image-gc/live-through.ts';
import { withoutChance, type Scenario } from '../kubelet-image-gc/scenario.ts';
import { digestOf, makeScenarios } from '../kubelet-image-gc/scenarios.ts';

/** Rules 6 to 8 against the kubelet's own image garbage collection, whose answers are recorded: alike, or different for a reason with a name. */

const scenarios = makeScenarios();
const { answers, scenarios: answered } = readAnswers();

interface Comparison {
  readonly kubelet: Answer;
  /** What our planner does when it is told all differences. */
  readonly asKubelet: Outcome;
  /** Those without any of which it would not do what the kubelet does. */
  readonly needed: readonly Difference[];
}

const comparisons = new Map<Scenario, Promise<Comparison>>();

function compare(scenario: Scenario): Promise<Comparison> {
  const known = comparisons.get(scenario) ?? liveThrough(scenario).then((told) => compareKnowing(scenario, told));
  comparisons.set(scenario, known);
  return known;
}

function compareKnowing(scenario: Scenario, known: Known): Comparison {
  const kubelet = answers[scenario.name];
  if (kubelet === undefined) throw new Error(`no answer to ${scenario.name}`);
  const asKubelet = told(new Set(DIFFERENCES), scenario, known);
  const needed = new Set(DIFFERENCES);
  for (const difference of DIFFERENCES) {
    needed.delete(difference);
    if (told(needed, scenario, known).removed.join() !== kubelet.removed.join()) needed.add(difference);
  }
  return { kubelet, asKubelet, needed: [...needed] };
}

/** Of images that the kubelet removes by chance, the same as in the recorded answers. */
function told(differences: ReadonlySet<Difference>, scenario: Scenario, known: Known): Outcome {
  const outcome = planWith(differences, scenario, known);
  return { ...outcome, removed: withoutChance(scenario, outcome.removed) };
}

test('the recorded answers are to these scenarios (if not, run test/kubelet-image-gc/answer-scenarios.ts)', () => {
  expect(answered).toBe(digestOf(scenarios));
  expect(Object.keys(answers)).toEqual(scenarios.map(({ name }) => name));
});

describe('the kubelet removes what our planner does, but for the differences that have a name', () => {
  test.each(scenarios.map((scenario) => [scenario.name, scenario] as const))('%s', async (_name, scenario) => {
    const { kubelet, asKubelet } = await compare(scenario);
    expect(asKubelet.removed).toEqual(kubelet.removed);
    // Where the kubelet ends with an error, we end with what could be done.
    expect(kubelet.error).toBe(scenario.capacity === 0 ? 'no-capacity' : asKubelet.fallsShort ? 'insufficient' : '');
  });
});

describe('the scenarios show', () => {
  const all = (): Promise<Comparison[]> => Promise.all(scenarios.map(compare));

  test('each difference', { timeout: 60_000 }, async () => {
    const shown = (await all()).flatMap(({ needed }) => needed);
    for (const difference of DIFFERENCES) expect(shown).toContain(difference);
  });

  test('more likeness than difference', { timeout: 60_000 }, async () => {
    const alike = (await all()).filter(({ needed }) => needed.length === 0);
    expect(alike.length).toBeGreaterThan(scenarios.length / 2);
    expect(alike.filter(({ kubelet }) => kubelet.removed.length > 0).length).toBeGreaterThan(scenarios.length / 4);
  });

  test('what the kubelet leaves to chance, and both of its errors', () => {
    const given = Object.values(answers);
    expect(given.some(({ byChance }) => byChance)).toBe(true);
    expect(new Set(given.map(({ error }) => error))).toEqual(new Set(['', 'insufficient', 'no-capacity']));
  });
});

test('what switches a rule off in the configuration of the kubelet is refused here', () => {
  expect(() => duration('0')).toThrow('It must be more than zero.');
  expect(() => diskLimit('100%')).toThrow('less than 100%');
});
