import type { NodeResults } from '../../api/coordinator/results-call.ts';
import type { RunSummary } from '../../api/run-record.ts';
import type { ResultSink } from '../../coordinator/ports.ts';
import type { RemovedFromNode } from '../../core/cluster/summarise-job.ts';
import { erasersListOf } from '../../core/exclusions/erasers-matching.ts';
import type { KeptAsEraser } from '../image-job/describe-kept-as-eraser.ts';
import type { Manager } from '../manager.ts';

/**
 * Once the results of a node that came to its end are on record, its run is told: it need not wait to hear from the kubelet that the pod has ended. What
 * stayed only as Eraser would keep it is told before, whatever came of the rest.
 */
export function tellResults(results: ResultSink, manager: Pick<Manager, 'noteReported' | 'noteKeptAsEraser'>): ResultSink {
  return {
    recordedDigest: (run, signal) => results.recordedDigest(run, signal),
    record: async (worker, sent, digest, signal) => {
      await results.record(worker, sent, digest, signal);
      const kept = sent.decisions.flatMap(keptAsEraser);
      if (kept.length > 0) manager.noteKeptAsEraser(worker, kept);
      if (sent.state === 'completed') manager.noteReported(worker, removedOf(sent.summary));
    },
  };
}

/** null: nothing was planned. */
export function removedOf(summary: Pick<RunSummary, 'removed' | 'reclaimedBytes'> | null): RemovedFromNode {
  const { removed: removedImages = 0, reclaimedBytes = 0 } = summary ?? {};
  return { removedImages, reclaimedBytes: Math.round(reclaimedBytes) };
}

function keptAsEraser({ ruling, repoTags }: NodeResults['decisions'][number]): KeptAsEraser[] {
  if (ruling.outcome !== 'keep' || ruling.reason.code !== 'excluded') return [];
  const { list, entry } = ruling.reason;
  const erasersList = erasersListOf(list);
  return erasersList === null ? [] : [{ list: erasersList, entry, tags: repoTags }];
}
