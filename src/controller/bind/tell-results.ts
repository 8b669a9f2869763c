import type { ResultSink } from '../../coordinator/ports.ts';
import type { Manager } from '../manager.ts';

/** Once the results of a node that came to its end are on record, its run is told: it need not wait to hear from the kubelet that the pod has ended. */
export function tellResults(results: ResultSink, noteReported: Manager['noteReported']): ResultSink {
  return {
    recordedDigest: (run, signal) => results.recordedDigest(run, signal),
    record: async (worker, sent, digest, signal) => {
      await results.record(worker, sent, digest, signal);
      const { removed: removedImages = 0, reclaimedBytes = 0 } = sent.summary ?? {};
      if (sent.state === 'completed') noteReported(worker, { removedImages, reclaimedBytes: Math.round(reclaimedBytes) });
    },
  };
}
