import PQueue from 'p-queue';
import type { RemoveDecision } from '../api/decision.ts';
import { guardRemoval } from '../core/guard-removal.ts';
import type { PendingPod } from '../core/image-use.ts';
import type { PlanFacts } from '../core/plan-facts.ts';
import { errorMessage, RoomError } from '../platform/errors.ts';
import type { OnEvent } from './events.ts';
import type { NodeRuntime } from './ports.ts';
import type { Removal, RemovalOutcome } from './removal.ts';

export interface RemoveImagesOptions {
  readonly runtime: NodeRuntime;
  readonly decisions: readonly RemoveDecision[];
  /** Of the plan that the decisions are from. */
  readonly facts: PlanFacts;
  /** The pods bound to this node as they are now; a rejection keeps the image. */
  readonly listPendingPods: (signal: AbortSignal) => Promise<readonly PendingPod[]>;
  readonly concurrency: number;
  readonly perImageTimeoutMs: number;
  readonly onEvent: OnEvent;
  /** Stops the run: removals in hand are finished, no other is begun. */
  readonly signal: AbortSignal;
}

/**
 * Removes images, each after the safety rules have been asked again with the containers and the image's names as they are then: containerd
 * removes an image in use without complaint. Whatever cannot be read keeps its image. One result per decision, in the decisions' order.
 */
export async function removeImages(options: RemoveImagesOptions): Promise<Removal[]> {
  const { decisions, onEvent, signal } = options;
  onEvent({ kind: 'removal-started', images: decisions.length });
  const queue = new PQueue({ concurrency: options.concurrency });
  let done = 0;
  const removals = decisions.map((decision) =>
    queue.add(async (): Promise<Removal> => {
      const outcome: RemovalOutcome = signal.aborted ? { kind: 'not-attempted' } : await removeOne(options, decision);
      const removal = { decision, outcome };
      done += 1;
      onEvent({ kind: 'image-removed', removal, done, total: decisions.length });
      return removal;
    }),
  );
  return Promise.all(removals);
}

/** Removes one image; when the runtime goes away meanwhile, begins again with the guards: what held before its restart may not hold after. */
async function removeOne(options: RemoveImagesOptions, decision: RemoveDecision): Promise<RemovalOutcome> {
  // Not the run's signal: a removal that has begun is finished.
  const deadline = AbortSignal.timeout(options.perImageTimeoutMs);
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await guardAndRemove(options, decision, deadline);
    } catch (error) {
      const passing = error instanceof RoomError && error.action === 'retry';
      if (!passing || attempt === MOST_ATTEMPTS || deadline.aborted) return { kind: 'failed', message: errorMessage(error) };
    }
  }
}

/** Each waits for a runtime that is away, so three outlast two restarts during one removal. */
const MOST_ATTEMPTS = 3;

async function guardAndRemove(
  { runtime, facts, listPendingPods }: RemoveImagesOptions,
  { image: { id } }: RemoveDecision,
  signal: AbortSignal,
): Promise<RemovalOutcome> {
  const image = await runtime.imageStatus(id, signal);
  if (image === null) return { kind: 'absent' };
  const pendingPods = await listPendingPods(signal);
  // The containers come last: nothing is awaited between this answer and the removal.
  const containers = await runtime.listContainers(signal);
  const reason = guardRemoval(facts, { image, containers, pendingPods });
  if (reason !== null) return { kind: 'kept', reason };
  await runtime.removeImage(id, signal);
  if ((await runtime.imageStatus(id, signal)) !== null) {
    return { kind: 'failed', message: 'the runtime accepted the removal but still has the image' };
  }
  return { kind: 'removed' };
}
