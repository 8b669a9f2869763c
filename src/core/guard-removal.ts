import type { KeepReason } from '../api/decision.ts';
import { refreshFacts, type FreshView, type PlanFacts } from './plan-facts.ts';
import { SAFETY_RULES } from './rules.ts';

/** Asks the safety rules again: null when the image may still go, else why it stays now. */
export function guardRemoval(facts: PlanFacts, view: FreshView): KeepReason | null {
  const fresh = refreshFacts(facts, view);
  for (const rule of SAFETY_RULES) {
    const ruling = rule.decide(view.image, fresh);
    if (ruling?.outcome === 'keep') return ruling.reason;
  }
  return null;
}
