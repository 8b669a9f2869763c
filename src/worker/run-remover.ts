import type { Exclusions } from '../core/exclusions/exclusions.ts';
import type { ImageList } from '../core/image-list.ts';
import type { ScanReport } from '../api/scan-report.ts';
import type { VerdictsFromElsewhere } from '../engine/clean-node.ts';
import { errorMessage, RoomError } from '../platform/errors.ts';
import type { HandOver } from './hand-over.ts';
import { askForPods, type KnownPods } from './known-pods.ts';
import { lookAhead } from './look-ahead.ts';
import { automaticSettings, coordinatorMemory, scanPolicyFor } from './plan-settings.ts';
import type { Coordinator, WorkerTask } from './ports.ts';
import { readHandedVerdicts, type HandedVerdicts, type ScannerKind } from './read-handed-verdicts.ts';
import { readKnownReports } from './read-known-reports.ts';
import { removeOnNode, type NodeSurroundings, type RemovedOnNode } from './remove-on-node.ts';
import { NO_SCANNER, useOfReports, useOfScan, type ScannerUse } from './scanner-use.ts';

export interface ManualRemover extends NodeSurroundings {
  readonly exclusions: Exclusions;
  readonly imageList: ImageList;
  /** A manual run does without where there is none, or none answers. */
  readonly coordinator: Coordinator | null;
}

export interface RemoverOutcome extends RemovedOnNode {
  readonly use: ScannerUse;
  /** Whether it has answered in this run. */
  readonly isCoordinatorThere: boolean;
}

/** Removes what is listed and nothing uses. */
export async function removeListed(options: ManualRemover): Promise<RemoverOutcome> {
  const { exclusions, imageList } = options;
  const pods = await tryPods(options);
  const removed = await removeOnNode({
    ...options,
    plan: {
      scan: null,
      memory: null,
      diskLimits: null,
      settings: { exclusions, imageList, protections: [], minAgeMs: 0, maxAgeMs: null },
    },
    pods,
  });
  return { ...removed, use: NO_SCANNER, isCoordinatorThere: pods !== null };
}

/** How long a manual run waits for a coordinator that it can do without. */
const MANUAL_PATIENCE_MS = 10_000;

/** Once the coordinator has answered, it has to answer before the removals too. One that says no is heeded: the run may be over. */
async function tryPods({ coordinator, log, timing, signal }: ManualRemover): Promise<KnownPods | null> {
  if (coordinator === null) return null;
  try {
    return await askForPods(coordinator, timing, AbortSignal.any([signal, AbortSignal.timeout(MANUAL_PATIENCE_MS)]));
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof RoomError && REFUSALS.has(String(error.code))) throw error;
    log.warn('the coordinator does not answer: pods that are about to start are not known', { error: errorMessage(error) });
    return null;
  }
}

/** Of the adapter to the coordinator. */
const REFUSALS: ReadonlySet<string> = new Set(['run-ended', 'refused']);

export interface AutomaticRemover extends NodeSurroundings {
  readonly exclusions: Exclusions;
  readonly coordinator: Coordinator;
  readonly scanner: ScannerKind;
  /** null: there is no other container; what the whole cluster knows of the images decides. */
  readonly handOver: HandOver | null;
}

/** Removes what the rules say, by the verdicts of the pod's scanner. */
export async function removeByRules(options: AutomaticRemover): Promise<RemoverOutcome> {
  const { coordinator, exclusions, handOver, runtime, log, timing, signal } = options;
  const { handed, known } = handOver === null ? { handed: null, known: null } : await awaitVerdicts({ ...options, handOver });
  const task = known ?? (await coordinator.readTask(signal));
  const verdicts = bindVerdicts(options, task, handed);
  const { memory, onEvent } = coordinatorMemory(coordinator, runtime, signal);
  // Last, since the scan may take hours, and since the removals go by this answer for as long as it is recent.
  const pods = await askForPods(coordinator, timing, signal);
  log.info('planning', { protections: task.protections.length, pendingPods: pods.pods.length });
  const removed = await removeOnNode({
    ...options,
    plan: { scan: verdicts?.source ?? null, memory, diskLimits: task.diskLimits, settings: automaticSettings(task, exclusions) },
    pods,
    onEvent,
  });
  return { ...removed, use: verdicts?.use() ?? NO_SCANNER, isCoordinatorThere: true };
}

/** `known`: what was read meanwhile; null: there was no time for it. */
async function awaitVerdicts(
  options: AutomaticRemover & { readonly handOver: HandOver },
): Promise<{ readonly handed: HandedVerdicts; readonly known: WorkerTask | null }> {
  const here = new AbortController();
  const looking = lookAhead({ ...options, signal: AbortSignal.any([options.signal, here.signal]) });
  const handed = await readHandedVerdicts(options).finally(() => here.abort(new Error('nobody waits any more')));
  return { handed, known: await looking };
}

interface BoundVerdicts {
  readonly source: VerdictsFromElsewhere;
  /** Once the plan is made. */
  readonly use: () => ScannerUse;
}

/** Where the verdicts come from; null: the scanner is off, and nobody else names the images. */
function bindVerdicts({ scanner, coordinator }: AutomaticRemover, task: WorkerTask, handed: HandedVerdicts | null): BoundVerdicts | null {
  const policy = scanPolicyFor(task, scanner);
  if (handed !== null) {
    const readVerdicts: VerdictsFromElsewhere['readVerdicts'] = (images) => Promise.resolve(handed.verdictsOn(images));
    return { source: { policy, readVerdicts }, use: () => useOfScan(handed) };
  }
  let known: readonly ScanReport[] = [];
  switch (scanner) {
    case 'off':
      return null;
    case 'trivy': {
      const readVerdicts: VerdictsFromElsewhere['readVerdicts'] = async (images, now) => {
        const ids = images.map(({ id }) => id);
        const reports = await readKnownReports(coordinator, ids, now);
        known = [...reports.values()];
        return new Map([...reports].map(([id, report]) => [id, { kind: 'scanned', report }]));
      };
      return { source: { policy, readVerdicts }, use: () => useOfReports(known) };
    }
    case 'custom':
      // Its verdicts are its own: none is known without it.
      return { source: { policy, readVerdicts: () => Promise.resolve(new Map()) }, use: () => NO_SCANNER };
  }
}
