import { expect, test } from 'vitest';
import { image } from '../../../test/fakes/images.ts';
import { keptOn, NEVER, nodeResults, removedOn, workerPod } from '../../../test/fakes/node-results.ts';
import type { NodeResults } from '../../api/coordinator/results-call.ts';
import type { ResultSink } from '../../coordinator/ports.ts';
import { asErasers } from '../../core/exclusions/erasers-matching.ts';
import { tellResults } from './tell-results.ts';

const RESULTS = nodeResults([removedOn(image(1))]);
const pod = workerPod('node-1');

async function told(sent: NodeResults, record: ResultSink['record'] = () => Promise.resolve()): Promise<unknown[]> {
  const heard: unknown[] = [];
  const hear = (...results: unknown[]): void => void heard.push(results);
  const sink = tellResults({ recordedDigest: () => Promise.resolve(null), record }, { noteReported: hear, noteKeptAsEraser: hear });
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

test('what stayed only as Eraser would keep it is told, with the entry, and no more than that', async () => {
  const excludedBy = (list: string) => ({
    ruling: { outcome: 'keep' as const, reason: { code: 'excluded' as const, list, entry: 'host:5000/app:*' } },
  });
  const sent = nodeResults([
    keptOn(image(1), excludedBy(asErasers([{ name: 'mine/a.json', entries: ['a:*'] }])[0]?.name ?? '')),
    keptOn(image(2), excludedBy('mine/a.json')),
  ]);
  const [kept, ...others] = await told({ ...sent, state: 'failed' });
  expect(kept).toEqual([pod, [{ list: 'mine/a.json', entry: 'host:5000/app:*', tags: image(1).repoTags }]]);
  expect(others).toEqual([]);
});
