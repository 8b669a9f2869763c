import type { NodeSkipReason, ParticipatingNode } from '../../api/cluster-node.ts';
import type { NodeFilter } from '../../core/cluster/node-filter.ts';
import { formatSkipReason, selectNodes } from '../../core/cluster/select-nodes.ts';
import type { SeenNode } from './node-view.ts';
import type { Run } from './run.ts';

/** A node as it is at its turn. */
export type NodeAtTurn =
  | { readonly kind: 'takes-part'; readonly node: ParticipatingNode }
  | { readonly kind: 'skipped'; readonly reason: NodeSkipReason }
  | { readonly kind: 'unreadable'; readonly message: string };

/** Whether a node that was chosen when the run began still can take part, and may: it may have been labelled since, to be left alone. */
export function judgeTurn(seen: SeenNode, filter: NodeFilter): NodeAtTurn {
  if (seen.kind === 'unreadable') return seen;
  if (seen.kind === 'gone') return GONE;
  const { participating, skipped } = selectNodes([seen.node], filter);
  const [node] = participating;
  const [left] = skipped;
  if (node !== undefined) return { kind: 'takes-part', node };
  return left === undefined ? GONE : { kind: 'skipped', reason: left.reason };
}

const GONE: NodeAtTurn = { kind: 'skipped', reason: { code: 'being-deleted' } };

/** How old what is known of a node may be at its turn. */
export const TURN_LOOK_MS = 30_000;

/** How often nodes with pods in flight are looked at. */
const FLIGHT_LOOK_MS = 2 * 60_000;

/** Twice at least in the time that a node may be not ready. */
export function flightLookMs(nodeGraceMs: number): number {
  return Math.min(FLIGHT_LOOK_MS, Math.ceil(nodeGraceMs / 2));
}

export interface NodeFaultsInput {
  readonly run: Run;
  readonly nodes: ReadonlyMap<string, SeenNode>;
  /** How long a node may be not ready. */
  readonly graceMs: number;
  readonly now: number;
}

/**
 * What is wrong with nodes that pods are on: they are gone, or have not been ready for too long. A kubelet that does not answer reports no pod as ended,
 * and nothing evicts pods that tolerate everything.
 */
export function findNodeFaults({ nodes, ...input }: NodeFaultsInput): Map<string, string> {
  const faults = new Map<string, string>();
  for (const [name, seen] of nodes) {
    const fault = faultOf(name, seen, input);
    if (fault !== null) faults.set(name, fault);
  }
  return faults;
}

function faultOf(name: string, seen: SeenNode, { run, graceMs, now }: Omit<NodeFaultsInput, 'nodes'>): string | null {
  if (seen.kind === 'gone') return 'the node is gone';
  if (seen.kind === 'unreadable' || seen.node.ready?.status === 'True') {
    run.unreadySince.delete(name);
    return null;
  }
  const since = run.unreadySince.get(name) ?? now;
  run.unreadySince.set(name, since);
  return now - since < graceMs ? null : `its node was lost: ${formatSkipReason({ code: 'not-ready', condition: seen.node.ready })}`;
}
