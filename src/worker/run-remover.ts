import type { Exclusions } from '../core/exclusions/exclusions.ts';
import type { ImageList } from '../core/image-list.ts';
import type { PendingPod } from '../core/image-use.ts';
import type { VerdictsFromElsewhere } from '../engine/clean-node.ts';
import { errorMessage } from '../platform/errors.ts';
import type { HandOver } from './hand-over.ts';
import { automaticSettings, coordinatorMemory, scanPolicyFor } from './plan-settings.ts';
import type { Coordinator, WorkerTask } from './ports.ts';
import { readHandedVerdicts, type ScannerKind } from './read-handed-verdicts.ts';
import { removeOnNode, type NodeSurroundings, type RemovedOnNode } from './remove-on-node.ts';

export interface ManualRemover extends NodeSurroundings {
  readonly exclusions: Exclusions;
  readonly imageList: ImageList;
  /** A manual run does without where there is none, or none answers. */
  readonly coordinator: Coordinator | null;
}

/** Removes what is listed and nothing uses. */
export async function removeListed(options: ManualRemover): Promise<RemovedOnNode> {
  const { exclusions, imageList } = options;
  const known = await tryPods(options);
  return removeOnNode({
    ...options,
    plan: {
      scan: null,
      memory: null,
      diskLimits: null,
      settings: { exclusions, imageList, pendingPods: known?.pods ?? [], protections: [], minAgeMs: 0, maxAgeMs: null },
    },
    pods: known?.coordinator ?? null,
  });
}

/** How long a manual run waits for a coordinator that it can do without. */
const MANUAL_PATIENCE_MS = 10_000;

/** Once the coordinator has answered, it has to answer before each removal too. */
async function tryPods({
  coordinator,
  log,
  signal,
}: ManualRemover): Promise<{ coordinator: Coordinator; pods: readonly PendingPod[] } | null> {
  if (coordinator === null) return null;
  try {
    const pods = await coordinator.listPendingPods(AbortSignal.any([signal, AbortSignal.timeout(MANUAL_PATIENCE_MS)]));
    return { coordinator, pods };
  } catch (error) {
    signal.throwIfAborted();
    log.warn('the coordinator does not answer: pods that are about to start are not known', { error: errorMessage(error) });
    return null;
  }
}

export interface AutomaticRemover extends NodeSurroundings {
  readonly exclusions: Exclusions;
  readonly coordinator: Coordinator;
  readonly scanner: ScannerKind;
  /** null: there is no other container; what the whole cluster knows of the images decides. */
  readonly handOver: HandOver | null;
}

/** Removes what the rules say, by the verdicts of the pod's scanner. */
export async function removeByRules(options: AutomaticRemover): Promise<RemovedOnNode> {
  const { coordinator, exclusions, runtime, log, signal } = options;
  const task = await coordinator.readTask(signal);
  const scan = await bindVerdicts(options, task);
  const pendingPods = await coordinator.listPendingPods(signal);
  const { memory, onEvent } = coordinatorMemory(coordinator, runtime, signal);
  log.info('planning', { protections: task.protections.length, pendingPods: pendingPods.length });
  return removeOnNode({
    ...options,
    plan: { scan, memory, diskLimits: task.diskLimits, settings: automaticSettings({ task, exclusions, pendingPods }) },
    pods: coordinator,
    onEvent,
  });
}

/** Where the verdicts come from; null: the scanner is off, and nobody else names the images. */
async function bindVerdicts(options: AutomaticRemover, task: WorkerTask): Promise<VerdictsFromElsewhere | null> {
  const { handOver, scanner, coordinator, log, signal } = options;
  const policy = scanPolicyFor(task, scanner);
  if (handOver !== null) {
    const verdictsOn = await readHandedVerdicts({ handOver, scanner, log, signal });
    return { policy, readVerdicts: (images) => Promise.resolve(verdictsOn(images)) };
  }
  switch (scanner) {
    case 'off':
      return null;
    case 'trivy':
      return {
        policy,
        readVerdicts: (images, now) =>
          coordinator.readVerdicts(
            images.map(({ id }) => id),
            now,
          ),
      };
    case 'custom':
      // Its verdicts are its own: none is known without it.
      return { policy, readVerdicts: () => Promise.resolve(new Map()) };
  }
}
