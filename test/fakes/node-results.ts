import type { InventoryReport } from '../../src/api/coordinator/inventory-call.ts';
import type { NodeResults } from '../../src/api/coordinator/results-call.ts';
import type { NodeImage } from '../../src/api/inventory.ts';
import type { WorkerPod } from '../../src/store/cluster-history.ts';
import { inventory } from './images.ts';

/** A signal that never aborts. */
export const NEVER = new AbortController().signal;

export function workerPod(node: string, job = 'job-1'): WorkerPod {
  return { node, job, podName: `worker-${node}`, podUid: `${job} ${node}` };
}

/** What a node reports of its images. */
export function lookAt(images: readonly NodeImage[], inUse: readonly NodeImage[] = []): InventoryReport {
  const copy = ({ repoTags, repoDigests, ...image }: NodeImage): InventoryReport['inventory']['images'][number] => ({
    ...image,
    repoTags: [...repoTags],
    repoDigests: [...repoDigests],
  });
  const { runtime } = inventory(images);
  return {
    inventory: { runtime, images: images.map(copy), containers: [], sandboxImageReferences: [] },
    inUse: inUse.map(({ id }) => id),
    filesystem: null,
  };
}

type NodeDecision = NodeResults['decisions'][number];

export function removedOn(image: NodeImage, fields: Partial<NodeDecision> = {}): NodeDecision {
  return {
    ...decided(image),
    estimatedBytes: 100,
    ruling: { outcome: 'remove', reason: { code: 'unused' } },
    removal: { state: 'removed', at: Date.UTC(2026, 10, 1, 1), message: null, keptBy: null, reclaimedBytes: 90 },
    ...fields,
  };
}

export function keptOn(image: NodeImage, fields: Partial<NodeDecision> = {}): NodeDecision {
  return { ...decided(image), estimatedBytes: 0, ruling: { outcome: 'keep', reason: { code: 'not-listed' } }, removal: null, ...fields };
}

function decided({
  id,
  repoTags,
  repoDigests,
  sizeBytes,
}: NodeImage): Pick<NodeDecision, 'imageId' | 'repoTags' | 'repoDigests' | 'sizeBytes'> {
  return { imageId: id, repoTags: [...repoTags], repoDigests: [...repoDigests], sizeBytes };
}

/** The results of a run with these decisions, and their sums. */
export function nodeResults(decisions: readonly NodeDecision[], fields: Partial<NodeResults> = {}): NodeResults {
  const removed = decisions.filter(({ removal }) => removal?.state === 'removed').length;
  const remove = decisions.filter(({ ruling }) => ruling.outcome === 'remove').length;
  return {
    startedAt: Date.UTC(2026, 10, 1),
    endedAt: Date.UTC(2026, 10, 1, 1),
    mode: 'automatic',
    state: 'completed',
    message: null,
    runtime: { name: 'containerd', version: '2.2.3' },
    scanner: null,
    summary: {
      images: decisions.length,
      keep: decisions.length - remove,
      remove,
      removed,
      absent: 0,
      keptAfterAll: 0,
      failed: 0,
      notAttempted: remove - removed,
      scanned: 0,
      verdictsReused: 0,
      estimatedBytes: 100 * remove,
      reclaimedBytes: 90 * removed,
    },
    filesystem: null,
    decisions: [...decisions],
    omittedFindings: 0,
    ...fields,
  };
}
