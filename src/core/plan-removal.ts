import type { Decision, RemoveDecision } from '../api/decision.ts';
import type { NodeContainer, NodeImage } from '../api/inventory.ts';
import { selectForDiskPressure } from './disk-pressure.ts';
import { gatherFacts, type PlanFacts, type PlanInput } from './plan-facts.ts';
import { createReclaimLedger } from './reclaim.ts';
import { diskPressureRule, SAFETY_RULES, SELECTION_RULES, VERDICT_RULES, type Rule, type Ruling } from './rules.ts';

export interface RemovalPlan {
  /** One per image, in order of image id. */
  readonly decisions: readonly Decision[];
  /** The sum over the images that go. */
  readonly estimatedBytes: number;
  /** Containers whose image is none of the node's. */
  readonly unresolvedContainers: readonly NodeContainer[];
  /** For `explain`, and for the guards that ask the safety rules again. */
  readonly facts: PlanFacts;
  readonly rules: readonly Rule[];
}

/** Decides on every image of a node: the first rule of the chain that applies holds. Pure: the same input gives the same plan, in any order. */
export function planRemoval(input: PlanInput): RemovalPlan {
  const facts = gatherFacts(input);
  const rules = [
    ...SAFETY_RULES,
    ...SELECTION_RULES,
    diskPressureRule(selectUnderDiskPressure(facts, [...SAFETY_RULES, ...SELECTION_RULES])),
    ...VERDICT_RULES,
  ];
  const ledger = createReclaimLedger(facts.images, input.storage);
  const decisions = facts.images.map((image): Decision => {
    const ruling = decide(image, facts, rules);
    return ruling.outcome === 'keep' ? { image, ...ruling } : { image, ...ruling, estimatedBytes: ledger.remove(image) };
  });
  const estimatedBytes = removals(decisions).reduce((sum, decision) => sum + decision.estimatedBytes, 0);
  return { decisions, estimatedBytes, unresolvedContainers: facts.use.unresolvedContainers, facts, rules };
}

export function removals(decisions: readonly Decision[]): RemoveDecision[] {
  return decisions.filter((decision) => decision.outcome === 'remove');
}

/** The images that only a verdict can decide on, and that have none: what a scanner is to be asked about. */
export function imagesToScan(plan: RemovalPlan): NodeImage[] {
  return plan.decisions
    .filter(({ outcome, reason }) => outcome === 'keep' && reason.code === 'unscanned' && reason.why === 'not-scanned')
    .map(({ image }) => image);
}

function selectUnderDiskPressure(facts: PlanFacts, earlierRules: readonly Rule[]): ReadonlySet<string> {
  const { diskThresholds, storage, histories } = facts.input;
  if (diskThresholds === null) return new Set();
  const goingAnyway: NodeImage[] = [];
  const candidates: NodeImage[] = [];
  for (const image of facts.images) {
    const ruling = firstRuling(image, facts, earlierRules);
    if (ruling === null) candidates.push(image);
    else if (ruling.outcome === 'remove') goingAnyway.push(image);
  }
  return selectForDiskPressure({ thresholds: diskThresholds, images: facts.images, goingAnyway, candidates, storage, histories });
}

function decide(image: NodeImage, facts: PlanFacts, rules: readonly Rule[]): Ruling {
  const ruling = firstRuling(image, facts, rules);
  if (ruling === null) throw new Error(`no rule applies to ${image.id}: the chain must end with one that always does`);
  return ruling;
}

function firstRuling(image: NodeImage, facts: PlanFacts, rules: readonly Rule[]): Ruling | null {
  for (const rule of rules) {
    const ruling = rule.decide(image, facts);
    if (ruling !== null) return ruling;
  }
  return null;
}
