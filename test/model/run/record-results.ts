import { answerResults } from '../../../src/coordinator/calls/answer-results.ts';
import { tellResults } from '../../../src/controller/bind/tell-results.ts';
import type { ResultSink, Worker } from '../../../src/coordinator/ports.ts';
import { jobUid, nodeName, podUid, type Pod } from './state.ts';
import { REMOVED } from './raw-objects.ts';

export interface Recorded {
  readonly is: 'recorded' | 'known' | 'refused';
  /** Whether the manager was told. */
  readonly isTold: boolean;
}

const NEVER = new AbortController().signal;

/** What the coordinator does with the results of a pod, when those of a copy of it are in the history; null: none are. */
export async function recordResults({ job, node, copy }: Pick<Pod, 'job' | 'node' | 'copy'>, before: number | null): Promise<Recorded> {
  const history: { digest: string | null } = { digest: null };
  let told = 0;
  const sink: ResultSink = {
    recordedDigest: () => Promise.resolve(history.digest),
    record: (_worker, _results, digest) => {
      history.digest = digest;
      return Promise.resolve();
    },
  };
  const call = answerResults(tellResults(sink, { noteReported: () => (told += 1), noteKeptAsEraser: () => undefined }));
  const send = async (of: number): Promise<{ readonly kind: string; readonly isTold: boolean; readonly isNew: boolean }> => {
    const toldBefore = told;
    const digestBefore = history.digest;
    const place = { job, node, copy: of };
    const worker: Worker = { job: jobUid(job), node: nodeName(node), podName: '', podUid: podUid(place) };
    const { kind } = await call({ worker, body: bodyOf(of), signal: NEVER });
    return { kind, isTold: told > toldBefore, isNew: history.digest !== digestBefore };
  };
  if (before !== null) await send(before);
  const { kind, isTold, isNew } = await send(copy);
  if (kind !== 'answer') return { is: 'refused', isTold };
  return { is: isNew ? 'recorded' : 'known', isTold };
}

/** Another pod removes something else, and at another time. */
function bodyOf(copy: number): Buffer {
  const sums = { images: 1, keep: 0, remove: 1, absent: 0, keptAfterAll: 0, failed: 0, notAttempted: 0, scanned: 0, verdictsReused: 0 };
  const { removedImages: removed, reclaimedBytes } = REMOVED;
  return Buffer.from(
    JSON.stringify({
      startedAt: copy,
      endedAt: copy + 1,
      mode: 'automatic',
      state: 'completed',
      message: null,
      runtime: { name: 'containerd', version: '2.2.3' },
      scanner: null,
      summary: { ...sums, removed, estimatedBytes: 10, reclaimedBytes },
      filesystem: null,
      decisions: [],
      omittedFindings: 0,
    }),
  );
}
