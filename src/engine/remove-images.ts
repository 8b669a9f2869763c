import PQueue from 'p-queue';
import type { KeepReason, RemoveDecision } from '../api/decision.ts';
import type { NodeContainer, SandboxImageReferences } from '../api/inventory.ts';
import { guardRemoval } from '../core/guard-removal.ts';
import type { PendingPod } from '../core/image-use.ts';
import type { PlanFacts } from '../core/plan-facts.ts';
import { formatDuration } from '../platform/duration.ts';
import { errorMessage, RoomError } from '../platform/errors.ts';
import { shareReads } from '../platform/share-reads.ts';
import { untilAborted } from '../platform/until-aborted.ts';
import type { OnEvent } from './events.ts';
import type { NodeRuntime, RemovalJournal } from './ports.ts';
import type { Removal, RemovalOutcome } from './removal.ts';

export interface RemoveImagesOptions {
  readonly runtime: NodeRuntime;
  readonly decisions: readonly RemoveDecision[];
  /** Of the plan that the decisions are from. */
  readonly facts: PlanFacts;
  /** Of the decisions, those that a look at the disk has overtaken, by image id. */
  readonly staying: ReadonlyMap<string, KeepReason>;
  /** The pods bound to this node as they are now; a rejection keeps the image. */
  readonly listPendingPods: (signal: AbortSignal) => Promise<readonly PendingPod[]>;
  /** null: nothing is kept. A removal that cannot be put on record is not begun, and neither is any other. */
  readonly journal: RemovalJournal | null;
  readonly concurrency: number;
  readonly perImageTimeoutMs: number;
  readonly onEvent: OnEvent;
  /** Stops the run: removals in hand are finished, no other is begun. */
  readonly signal: AbortSignal;
}

/**
 * Removes images, each after the safety rules have been asked again with the containers and the image's names as they are then: containerd
 * removes an image in use without complaint. Whatever cannot be read keeps its image. When the runtime stays away, no other removal is
 * begun. One result per decision, in the decisions' order.
 */
export async function removeImages(options: RemoveImagesOptions): Promise<Removal[]> {
  const { decisions, onEvent } = options;
  onEvent({ kind: 'removal-started', images: decisions.length });
  const run: Run = {
    ...options,
    sandboxImages: rememberSandboxImages(options),
    listContainers: shareReads(() => options.runtime.listContainers(AbortSignal.timeout(options.perImageTimeoutMs))),
    isHalted: false,
  };
  const queue = new PQueue({ concurrency: options.concurrency });
  let done = 0;
  const removals = decisions.map((decision) =>
    queue.add(async (): Promise<Removal> => {
      const removal = { decision, outcome: await removeOnRecord(run, decision) };
      done += 1;
      onEvent({ kind: 'image-removed', removal, done, total: decisions.length });
      return removal;
    }),
  );
  return Promise.all(removals);
}

interface Run extends RemoveImagesOptions {
  readonly sandboxImages: RememberedSandboxImages;
  /** The removals at once share a list; each is of after the removal asked for it. */
  readonly listContainers: (signal: AbortSignal) => Promise<readonly NodeContainer[]>;
  /** The runtime is away, or silent, for longer than any repetition waits; or the journal fails. */
  isHalted: boolean;
}

async function removeOnRecord(run: Run, decision: RemoveDecision): Promise<RemovalOutcome> {
  const outcome: RemovalOutcome = run.signal.aborted || run.isHalted ? { kind: 'not-attempted' } : await beginOnRecord(run, decision);
  try {
    await run.journal?.removalEnded({ decision, outcome });
  } catch {
    // What came of it is in the report all the same; the journal tells at its end that it is not whole.
    run.isHalted = true;
  }
  return outcome;
}

/** On record before anything is asked of the runtime, so that the next run knows where to look if this one is killed. */
async function beginOnRecord(run: Run, decision: RemoveDecision): Promise<RemovalOutcome> {
  try {
    await run.journal?.removalBegan(decision);
  } catch (error) {
    run.isHalted = true;
    return { kind: 'failed', message: `it could not be put on record: ${errorMessage(error)}` };
  }
  return removeOne(run, decision);
}

/** Removes one image; when the runtime goes away meanwhile, begins again with the guards: what held before its restart may not hold after. */
async function removeOne(run: Run, decision: RemoveDecision): Promise<RemovalOutcome> {
  // Not the run's signal: a removal that has begun is finished.
  const signal = AbortSignal.timeout(run.perImageTimeoutMs);
  const progress = { isAsked: false };
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await guardAndRemove(run, decision, { signal, progress });
    } catch (error) {
      const passing = error instanceof RoomError && error.action === 'retry' && !signal.aborted;
      run.sandboxImages.forget();
      if (passing && attempt < MOST_ATTEMPTS) continue;
      // Away for all attempts, or silent to a mere question. Of an image that it was asked to remove, the last look tells.
      run.isHalted ||= (passing || signal.aborted) && !progress.isAsked;
      const message = signal.aborted ? `not done within ${formatDuration(run.perImageTimeoutMs)}` : errorMessage(error);
      return progress.isAsked ? await outcomeOfAsked(run, decision, message) : { kind: 'failed', message };
    }
  }
}

/** Each waits for a runtime that is away, so three outlast two restarts during one removal. */
const MOST_ATTEMPTS = 3;

interface Attempt {
  readonly signal: AbortSignal;
  /** Over all attempts: whether the runtime was asked to remove the image. */
  readonly progress: { isAsked: boolean };
}

async function guardAndRemove(run: Run, { image: { id } }: RemoveDecision, { signal, progress }: Attempt): Promise<RemovalOutcome> {
  const { runtime, facts } = run;
  const staying = run.staying.get(id);
  if (staying !== undefined) return { kind: 'kept', reason: staying };
  const image = await runtime.imageStatus(id, signal);
  if (image === null) return progress.isAsked ? { kind: 'removed' } : { kind: 'absent' };
  const sandboxImageReferences = await run.sandboxImages.read(signal);
  const pendingPods = await run.listPendingPods(signal);
  // The containers come last: nothing is awaited between this answer and the removal.
  const containers = await run.listContainers(signal);
  const reason = guardRemoval(facts, { image, containers, pendingPods, sandboxImageReferences });
  if (reason !== null) return { kind: 'kept', reason };
  progress.isAsked = true;
  await runtime.removeImage(id, signal);
  const left = await runtime.imageStatus(id, signal);
  if (left === null) return { kind: 'removed' };
  const names = [...left.repoTags, ...left.repoDigests].join(', ');
  return {
    kind: 'failed',
    message: `the runtime accepted the removal but still has the image, as ${names === '' ? 'one without a name' : names}`,
  };
}

/** The runtime was asked and did not answer in time or in order: only a look tells whether the image is gone. */
async function outcomeOfAsked(run: Run, { image: { id } }: RemoveDecision, message: string): Promise<RemovalOutcome> {
  try {
    const image = await run.runtime.imageStatus(id, AbortSignal.timeout(LAST_LOOK_TIMEOUT_MS));
    return image === null ? { kind: 'removed' } : { kind: 'failed', message };
  } catch (error) {
    run.isHalted = true;
    return { kind: 'failed', message: `${message}; whether the image is gone cannot be read: ${errorMessage(error)}` };
  }
}

const LAST_LOOK_TIMEOUT_MS = 10_000;

interface RememberedSandboxImages {
  read(signal: AbortSignal): Promise<SandboxImageReferences>;
  /** After the runtime was away: it may have come back with another configuration. */
  forget(): void;
}

/** Read once, for all removals that begin together, since the answer takes a call per sandbox; and again when something went wrong. */
function rememberSandboxImages({ runtime, perImageTimeoutMs }: RemoveImagesOptions): RememberedSandboxImages {
  let known: Promise<SandboxImageReferences> | null = null;
  const begin = (): Promise<SandboxImageReferences> => {
    const reading = runtime.sandboxImageReferences(AbortSignal.timeout(perImageTimeoutMs));
    reading.catch(() => {
      if (known === reading) known = null;
    });
    return reading;
  };
  return {
    read: (signal) => untilAborted((known ??= begin()), signal),
    forget: () => (known = null),
  };
}
