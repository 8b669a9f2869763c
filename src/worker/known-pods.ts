import type { PendingPod } from '../core/image-use.ts';
import { reuseReads } from '../platform/reuse-reads.ts';
import type { Timing } from '../platform/timing.ts';
import type { Coordinator } from './ports.ts';

type PodSource = Pick<Coordinator, 'listPendingPods'>;
type Clock = Pick<Timing, 'now'>;

/** The pods bound to this node as they were once, and who knows how they are later. */
export interface KnownPods {
  readonly coordinator: PodSource;
  /** On the clock of `Timing`. */
  readonly askedAt: number;
  readonly pods: readonly PendingPod[];
}

export async function askForPods(coordinator: PodSource, timing: Clock, signal: AbortSignal): Promise<KnownPods> {
  const askedAt = timing.now();
  return { coordinator, askedAt, pods: await coordinator.listPendingPods(signal) };
}

/**
 * Plan and removals share what is known of the node's pods for a moment, since each read is one of the API server. The kubelet takes about as long to
 * have the image of a pod that is new to it; the containers are read before each removal all the same.
 */
const PODS_AGE_MS = 2_000;

/** The pods as they were at most a moment ago. `timeoutMs`: of each read that this takes. */
export function recentPods(
  { coordinator, askedAt, pods }: KnownPods,
  timing: Clock,
  timeoutMs: number,
): (signal: AbortSignal) => Promise<readonly PendingPod[]> {
  return reuseReads(() => coordinator.listPendingPods(AbortSignal.timeout(timeoutMs)), {
    mostAgeMs: PODS_AGE_MS,
    now: () => timing.now(),
    known: { askedAt, value: pods },
  });
}
