import { expect, test } from 'vitest';
import { image } from '../../../test/fakes/images.ts';
import { NEVER, nodeResults, removedOn, workerPod } from '../../../test/fakes/node-results.ts';
import type { NodeResults } from '../../api/coordinator/results-call.ts';
import type { ResultSink } from '../../coordinator/ports.ts';
import { tellResults } from './tell-results.ts';

const RESULTS = nodeResults([removedOn(image(1))]);
const pod = workerPod('node-1');

async function told(sent: NodeResults, record: ResultSink['record'] = () => Promise.resolve()): Promise<unknown[]> {
  const heard: unknown[] = [];
  const sink = tellResults({ recordedDigest: () => Promise.resolve(null), record }, (...results) => heard.push(results));
  await sink.record(pod, sent, 'digest', NEVER).catch(() => undefined);
  return heard;
}

test('results are told once they are on record, with what was removed', async () => {
  const { removed, reclaimedBytes } = RESULTS.summary ?? expect.fail();
  expect(await told(RESULTS)).toEqual([[pod, { removedImages: removed, reclaimedBytes }]]);
});

test('results that could not be recorded, or are of a run that did not come to its end, are not', async () => {
  expect(await told(RESULTS, () => Promise.reject(new Error('the disk is full')))).toEqual([]);
  for (const state of ['failed', 'refused', 'interrupted', 'killed'] as const) expect(await told({ ...RESULTS, state })).toEqual([]);
});
