import type { KeepReason } from '../api/decision.ts';
import type { NodeContainer, NodeImage } from '../api/inventory.ts';
import type { PendingPod } from './image-use.ts';
import { refreshFacts, type PlanFacts } from './plan-facts.ts';
import { SAFETY_RULES } from './rules.ts';

/** What the node looks like immediately before one image is removed. */
export interface FreshView {
  readonly image: NodeImage;
  readonly containers: readonly NodeContainer[];
  readonly pendingPods: readonly PendingPod[];
}

/** Asks the safety rules again: null when the image may still go, else why it stays now. */
export function guardRemoval(facts: PlanFacts, view: FreshView): KeepReason | null {
  const fresh = refreshFacts(facts, view.image, view.containers, view.pendingPods);
  for (const rule of SAFETY_RULES) {
    const ruling = rule.decide(view.image, fresh);
    if (ruling?.outcome === 'keep') return ruling.reason;
  }
  return null;
}
