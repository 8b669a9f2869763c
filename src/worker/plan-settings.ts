import type { NodeInventory } from '../api/inventory.ts';
import { DEFAULT_SCAN_POLICY, type ScanPolicy } from '../api/scan-policy.ts';
import type { Exclusions } from '../core/exclusions/exclusions.ts';
import type { PlanNodeOptions } from '../engine/clean-node.ts';
import type { OnEvent } from '../engine/events.ts';
import type { ImageMemory, NodeRuntime } from '../engine/ports.ts';
import type { Coordinator, WorkerTask } from './ports.ts';
import type { ScannerKind } from './read-handed-verdicts.ts';
import { WorkerError } from './worker-error.ts';

/** What an automatic run's plan is made of, beside what node and scanner tell: for the collector and the remover alike. */
export function automaticSettings(task: WorkerTask, exclusions: Exclusions): Omit<PlanNodeOptions['settings'], 'pendingPods'> {
  const { minAgeMs, maxAgeMs, protections } = task;
  return { exclusions, imageList: null, protections, minAgeMs, maxAgeMs };
}

/**
 * By what policy images are judged. That of a scanner of the user's own is its own affair, and where the scanner is off there is nothing to judge:
 * then any will do.
 */
export function scanPolicyFor({ scanPolicy }: WorkerTask, scanner: ScannerKind): ScanPolicy {
  if (scanPolicy !== null || scanner !== 'trivy') return scanPolicy ?? DEFAULT_SCAN_POLICY;
  throw new WorkerError({ code: 'bad-input', message: 'this pod has a scanner, and for the coordinator the scanner is off' });
}

/** The coordinator as the memory of images. `onEvent` has to see the events of the same plan. */
export function coordinatorMemory(
  coordinator: Pick<Coordinator, 'reportInventory'>,
  runtime: NodeRuntime,
  signal: AbortSignal,
): { readonly memory: ImageMemory; readonly onEvent: OnEvent } {
  let inventory: NodeInventory | null = null;
  return {
    onEvent: (event) => {
      if (event.kind === 'inventory-taken') inventory = event.inventory;
    },
    memory: {
      observe: async ({ inUse }) => {
        if (inventory === null) throw new Error('images are remembered before they are listed');
        return coordinator.reportInventory({ inventory, inUse, filesystem: await runtime.imageFilesystem(signal) }, signal);
      },
    },
  };
}
