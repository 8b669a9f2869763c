import { planRemoval } from '../../src/core/plan-removal.ts';
import { compilePatterns, makePlanningInput } from '../planning-input.ts';
import { tellUsage } from './tell-usage.ts';

/** Plans for a large node, as the first thing that the process does but for making the input. Arguments: images, exclusions. */
const [images = '', patterns = ''] = process.argv.slice(2);
const { patterns: entries, input } = makePlanningInput({ images: Number(images), patterns: Number(patterns) });
const exclusions = compilePatterns(entries);
// What making the input left is none of the plan's.
(globalThis as { gc?: () => void }).gc?.();
await tellUsage(() => {
  const { decisions } = planRemoval({ ...input, exclusions });
  if (decisions.length !== Number(images)) throw new Error(`${String(decisions.length)} decisions on ${images} images`);
});
