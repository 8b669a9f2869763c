import type { NodeResults } from '../../api/coordinator/results-call.ts';
import type { ResultSink } from '../../coordinator/ports.ts';
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
      const { removed: removedImages = 0, reclaimedBytes = 0 } = sent.summary ?? {};
      if (sent.state === 'completed') manager.noteReported(worker, { removedImages, reclaimedBytes: Math.round(reclaimedBytes) });
    },
  };
}

function keptAsEraser({ ruling, repoTags }: NodeResults['decisions'][number]): KeptAsEraser[] {
  if (ruling.outcome !== 'keep' || ruling.reason.code !== 'excluded') return [];
  const { list, entry } = ruling.reason;
  const erasersList = erasersListOf(list);
  return erasersList === null ? [] : [{ list: erasersList, entry, tags: repoTags }];
}
