import type { NodeRuntime } from '../engine/ports.ts';
import { takeInventory } from '../engine/take-inventory.ts';
import type { Timing } from '../platform/timing.ts';
import type { Coordinator, WorkerTask } from './ports.ts';

export interface LookAheadOptions {
  readonly coordinator: Coordinator;
  readonly runtime: NodeRuntime;
  readonly timing: Pick<Timing, 'sleep'>;
  /** There is no more time to look ahead. */
  readonly signal: AbortSignal;
}

/** The others of the pod are at their beginning until then; and where there is nothing to scan, the verdicts come before. */
const BEGIN_AFTER_MS = 1_000;

/**
 * What the remover does while the scanner scans, so that it has less to do when it is waited for: reads what the run goes by, which was frozen when it
 * began, and looks at the node once. Nothing of that look counts but what the runtime's adapter keeps of it, which cannot change: the mounts of a
 * container, the image of a sandbox, the size of an unpacked layer. null: the task is not read yet. Never rejects.
 */
export async function lookAhead({ coordinator, runtime, timing, signal }: LookAheadOptions): Promise<WorkerTask | null> {
  let task: WorkerTask | null = null;
  try {
    await timing.sleep(BEGIN_AFTER_MS, signal);
    task = await coordinator.readTask(signal);
    const { images } = await takeInventory(runtime, signal);
    await runtime.imageStorage(
      images.map(({ id }) => id),
      signal,
    );
  } catch {
    // Whatever it was is met again, and told, where it counts.
  }
  return task;
}
