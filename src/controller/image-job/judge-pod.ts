import * as z from 'zod';
import type { RemovedFromNode } from '../../core/cluster/summarise-job.ts';
import { haveContainersEnded, type ContainerFacts, type PodFacts } from './pod-facts.ts';

/** How far a worker pod is, as its status says. */
export type PodVerdict =
  /** `why`: what it waits for, as far as it is known. */
  | { readonly kind: 'pending'; readonly why: string }
  /** `failed`: what a container that has failed says, while others go on; null: none has. */
  | { readonly kind: 'running'; readonly failed: string | null; readonly removed: RemovedFromNode }
  | { readonly kind: 'succeeded'; readonly removed: RemovedFromNode }
  | { readonly kind: 'failed'; readonly message: string; readonly removed: RemovedFromNode };

export function judgePod(pod: PodFacts): PodVerdict {
  const removed = totalsOf(pod);
  const failure = failureOf(pod);
  switch (pod.phase) {
    case 'Succeeded':
      // Kubernetes says so of a pod whose containers have all exited with 0; whatever says otherwise is believed.
      return endOf(failure, removed);
    case 'Failed':
      // What befell the pod says more than how its containers ended of it.
      return { kind: 'failed', message: pod.reason === '' ? (failure ?? wholeFailure(pod)) : wholeFailure(pod), removed };
    default:
      if (haveContainersEnded(pod)) return endOf(failure, removed);
      // They need one another: as long as one has not begun (its image cannot be pulled), the pod has not.
      if (failure === null && isPending(pod)) return { kind: 'pending', why: pendingReason(pod) };
      return { kind: 'running', failed: failure, removed };
  }
}

function endOf(failure: string | null, removed: RemovedFromNode): PodVerdict {
  return failure === null ? { kind: 'succeeded', removed } : { kind: 'failed', message: failure, removed };
}

function isPending({ containers }: PodFacts): boolean {
  return containers.length === 0 || containers.some(({ state }) => state.kind === 'waiting');
}

const LONGEST_MESSAGE = 300;

/** What the worker says in its termination log; what is none of ours says nothing. */
const totalsSchema = z.object({ removed: z.int().nonnegative(), reclaimedBytes: z.number().nonnegative() });
const messageSchema = z.object({ message: z.string().min(1) });

function totalsOf({ containers }: PodFacts): RemovedFromNode {
  const { state } = containers.find(({ name }) => name === 'remover') ?? {};
  const said = state !== undefined && 'message' in state ? totalsSchema.safeParse(parseJson(state.message)).data : undefined;
  return { removedImages: said?.removed ?? 0, reclaimedBytes: Math.round(said?.reclaimedBytes ?? 0) };
}

/** What a container that exited non-zero says; null: none did. The remover first: what it says is about all. */
function failureOf({ containers }: PodFacts): string | null {
  const failed = containers.filter(({ state }) => state.kind === 'failed');
  const first = failed.find(({ name }) => name === 'remover') ?? failed[0];
  return first === undefined ? null : describeFailure(first);
}

function describeFailure({ name, state }: ContainerFacts): string {
  if (state.kind !== 'failed') return `${name} failed`;
  const said = messageSchema.safeParse(parseJson(state.message)).data?.message ?? state.message;
  const reason = ['', 'Error'].includes(state.reason) ? '' : ` (${state.reason})`;
  const text = said.trim() === '' ? '' : `: ${said.trim()}`;
  return cut(`${name} exited with ${state.exitCode}${reason}${text}`);
}

function wholeFailure({ reason, message }: PodFacts): string {
  const text = [reason, message].filter((part) => part !== '').join(': ');
  return cut(text === '' ? 'its worker pod failed' : text);
}

function pendingReason({ unscheduled, containers }: PodFacts): string {
  const waiting = containers
    .map(({ state }) => (state.kind === 'waiting' ? state.message : ''))
    .find((text) => text !== '' && text !== 'ContainerCreating');
  return cut(unscheduled === '' ? (waiting ?? '') : unscheduled);
}

function cut(text: string): string {
  return text.length > LONGEST_MESSAGE ? `${text.slice(0, LONGEST_MESSAGE - 1)}…` : text;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
