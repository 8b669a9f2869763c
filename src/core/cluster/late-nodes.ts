import type { ClusterNode } from '../../api/cluster-node.ts';
import { firstOpenAt, type MaintenanceWindow } from './maintenance-window.ts';
import type { NodeFilter } from './node-filter.ts';
import { selectNodes } from './select-nodes.ts';

/** What is kept of an automatic run that has ended, for the nodes that it did not get to. Times are wall-clock milliseconds. */
export interface LateState {
  /** Its ImageJob. */
  readonly run: string;
  readonly startedAt: number;
  readonly endedAt: number;
  /** The nodes that it left out since they were not ready, or gone. */
  readonly away: readonly string[];
  /** The nodes that had a run of their own since: each has one at most. */
  readonly had: readonly string[];
}

/** What is kept has an end: a configmap has one at 1 MiB, and where so many nodes are away, it is no matter of single nodes. */
export const MOST_LATE_NODES = 500;

/** How often it is looked for nodes that have come: each look lists all of them. */
const LOOK_MS = 5 * 60_000;
const SHARE_OF_TIME = 0.1;

export interface LateLookInput {
  readonly late: LateState;
  /** How long after the end of the run a node may come; 0: late nodes wait for the next run. */
  readonly withinMs: number;
  /** null: runs may begin at any time. */
  readonly window: MaintenanceWindow | null;
  /** When it was looked last; null: not yet by this process. */
  readonly lookedAt: number | null;
  readonly now: number;
}

export type LateLook =
  /** No node comes too late any more: there is nothing to keep. */
  | { readonly kind: 'over' }
  | { readonly kind: 'wait'; readonly lookAgainAt: number }
  /** Whether nodes have come; if none has, again at `lookAgainAt`. */
  | { readonly kind: 'look'; readonly lookAgainAt: number };

/** Whether it is time to look for late nodes. */
export function planLateLook({ late, withinMs, window, lookedAt, now }: LateLookInput): LateLook {
  const until = late.endedAt + withinMs;
  // An end that is still to come was told by another clock.
  if (withinMs <= 0 || now >= until || late.endedAt > now + withinMs) return { kind: 'over' };
  const opensAt = window === null ? now : firstOpenAt(window, now);
  if (opensAt > now) return opensAt >= until ? { kind: 'over' } : { kind: 'wait', lookAgainAt: opensAt };
  const everyMs = Math.min(LOOK_MS, withinMs * SHARE_OF_TIME);
  // A clock that was set back does not put the next look off.
  const dueAt = lookedAt === null || lookedAt > now ? now : lookedAt + everyMs;
  return dueAt > now ? { kind: 'wait', lookAgainAt: dueAt } : { kind: 'look', lookAgainAt: now + everyMs };
}

export interface DatedNode {
  readonly node: ClusterNode;
  /** null: it does not say. */
  readonly createdAt: number | null;
}

/** The nodes that have come since the run: they can take part in one now, and were away, or were not there, when it began. In order of names. */
export function selectLateNodes({ away, had, startedAt }: LateState, nodes: readonly DatedNode[], filter: NodeFilter): string[] {
  const candidates = nodes.filter(
    ({ node: { name }, createdAt }) => !had.includes(name) && (away.includes(name) || (createdAt !== null && createdAt > startedAt)),
  );
  const { participating } = selectNodes(
    candidates.map(({ node }) => node),
    filter,
  );
  return participating.map(({ name }) => name).slice(0, MOST_LATE_NODES - had.length);
}

/** To be stored with the intent of their run: so whatever happens, none has a second one. */
export function recordLateRun(late: LateState, names: readonly string[]): LateState {
  return { ...late, had: [...late.had, ...names] };
}
