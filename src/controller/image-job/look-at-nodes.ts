import { parseClusterNode, type NodeSkipReason, type ParticipatingNode } from '../../api/cluster-node.ts';
import type { NodeFilter } from '../../core/cluster/node-filter.ts';
import { formatSkipReason, selectNodes } from '../../core/cluster/select-nodes.ts';
import type { ClusterApi } from '../ports.ts';
import type { RawObject } from '../raw-object.ts';
import type { Run } from './run.ts';

/** A node as it is at its turn. */
export type NodeAtTurn =
  { readonly kind: 'takes-part'; readonly node: ParticipatingNode } | { readonly kind: 'skipped'; readonly reason: NodeSkipReason };

/** The nodes were chosen when the run began, by the filter: what counts now is whether they still can take part. */
const NO_FILTER: NodeFilter = { type: 'exclude', selectors: [] };

export async function lookAtNode(api: Pick<ClusterApi, 'find'>, name: string, signal: AbortSignal): Promise<NodeAtTurn> {
  const raw = await api.find('Node', name, signal);
  if (raw === null) return { kind: 'skipped', reason: { code: 'being-deleted' } };
  const parsed = parseClusterNode(raw);
  if (!parsed.ok) throw new Error(`the node ${name} cannot be read`);
  const { participating, skipped } = selectNodes([parsed.value], NO_FILTER);
  const [node] = participating;
  const [left] = skipped;
  if (node !== undefined) return { kind: 'takes-part', node };
  return { kind: 'skipped', reason: left?.reason ?? { code: 'being-deleted' } };
}

/** How often nodes with pods in flight are looked at. */
export const NODE_LOOK_MS = 30_000;

/** How many are asked about at once. */
const LOOKS_AT_ONCE = 10;

export interface NodeFaultsInput {
  readonly run: Run;
  readonly names: readonly string[];
  readonly graceMs: number;
  readonly now: number;
}

/**
 * What is wrong with nodes that pods are on: they are gone, or have not been ready for too long. A kubelet that does not answer reports no pod as ended,
 * and nothing evicts pods that tolerate everything.
 */
export async function findNodeFaults(
  api: Pick<ClusterApi, 'find'>,
  input: NodeFaultsInput,
  signal: AbortSignal,
): Promise<Map<string, string>> {
  const faults = new Map<string, string>();
  for (let at = 0; at < input.names.length; at += LOOKS_AT_ONCE) {
    const names = input.names.slice(at, at + LOOKS_AT_ONCE);
    const found = await Promise.all(names.map(async (name) => [name, faultOf(await api.find('Node', name, signal), name, input)] as const));
    for (const [name, fault] of found) if (fault !== null) faults.set(name, fault);
  }
  return faults;
}

function faultOf(raw: RawObject | null, name: string, { run, graceMs, now }: NodeFaultsInput): string | null {
  if (raw === null) return 'the node is gone';
  const parsed = parseClusterNode(raw);
  if (!parsed.ok || parsed.value.ready?.status === 'True') {
    run.unreadySince.delete(name);
    return null;
  }
  const since = run.unreadySince.get(name) ?? now;
  run.unreadySince.set(name, since);
  return now - since < graceMs ? null : `its node was lost: ${formatSkipReason({ code: 'not-ready', condition: parsed.value.ready })}`;
}
