import type { NodeImage } from '../api/inventory.ts';
import type { Exclusions } from '../core/exclusions/exclusions.ts';
import { imagesToScan, removals } from '../core/plan-removal.ts';
import { planNode } from '../engine/clean-node.ts';
import type { HandOver, OfferReader } from './hand-over.ts';
import { automaticSettings, coordinatorMemory, scanPolicyFor } from './plan-settings.ts';
import type { Coordinator } from './ports.ts';
import type { ScannerKind } from './read-handed-verdicts.ts';
import { logInventory, type NodeSurroundings } from './remove-on-node.ts';

export interface RunCollectorOptions extends NodeSurroundings {
  readonly coordinator: Coordinator;
  readonly exclusions: Exclusions;
  readonly scanner: ScannerKind;
  readonly handOver: HandOver;
}

/**
 * Tells the scanner which images only a verdict can decide on, or, with the scanner off, the remover which ones nothing uses. What rules 1 to 8
 * keep or remove is not offered: the remover asks them again itself. What a pod waits for that has no container yet is offered, too, at the cost of a
 * scan. Ends when the remover is done.
 */
export async function runCollector(options: RunCollectorOptions): Promise<void> {
  const { scanner, handOver, log, signal } = options;
  const [images] = await Promise.all([selectImages(options), handOver.open(READERS[scanner], signal)]);
  if (scanner === 'off') {
    log.info('images offered for removal', { images: images.length });
    await handOver.offerToRemove(images, signal);
  } else {
    log.info('images offered to the scanner', { images: images.length });
    await handOver.offer(images, signal);
  }
  await handOver.awaitCollectorRelease(signal);
  log.info('the remover is done');
}

const READERS: Readonly<Record<ScannerKind, OfferReader>> = { off: 'remover', trivy: 'scanner', custom: 'scanner-of-another' };

async function selectImages({ coordinator, exclusions, scanner, runtime, log, now, signal }: RunCollectorOptions): Promise<NodeImage[]> {
  const task = await coordinator.readTask(signal);
  const { memory, onEvent } = coordinatorMemory(coordinator, runtime, signal);
  const policy = scanPolicyFor(task, scanner);
  const plan = await planNode({
    runtime,
    // Nothing has a verdict yet: what would need one is what is looked for.
    scan: scanner === 'off' ? null : { policy, readVerdicts: () => Promise.resolve(new Map()) },
    memory,
    diskLimits: task.diskLimits,
    // Those of the node are asked of the API server once, by the remover: it keeps what they want, and reports that as in use.
    settings: { ...automaticSettings(task, exclusions), pendingPods: [] },
    now,
    onEvent: (event) => {
      onEvent(event);
      if (event.kind === 'inventory-taken') logInventory(log, event.inventory);
    },
    signal,
  });
  if (scanner !== 'off') return imagesToScan(plan);
  return removals(plan.decisions).flatMap(({ image, reason }) => (reason.code === 'unused' ? [image] : []));
}
