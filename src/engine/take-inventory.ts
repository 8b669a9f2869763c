import type { NodeInventory } from '../api/inventory.ts';
import type { NodeRuntime } from './ports.ts';

/**
 * Reads what is on the node. Images are listed before containers: a container that starts in between then shows up, where the other order
 * would miss it.
 */
export async function takeInventory(runtime: NodeRuntime, signal: AbortSignal): Promise<NodeInventory> {
  const [version, images] = await Promise.all([runtime.version(signal), runtime.listImages(signal)]);
  const [containers, sandboxImageReferences] = await Promise.all([runtime.listContainers(signal), runtime.sandboxImageReferences(signal)]);
  return { runtime: version, images, containers, sandboxImageReferences };
}
