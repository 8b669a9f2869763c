import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { NodeSkipReason } from '../../api/cluster-node.ts';
import { IMAGE_JOB } from '../../api/image-job.ts';
import { summariseJob, type JobSummaryInput, type NodeOutcome } from './summarise-job.ts';

const HOUR = 3_600_000;
const NOW = Date.UTC(2026, 10, 21, 12, 0, 0, 789);
const SETTINGS = { successRatio: 1, cleanup: { delayOnSuccess: 0, delayOnFailure: 24 * HOUR } };

const done = (removedImages = 0, reclaimedBytes = 0): NodeOutcome => ({ kind: 'succeeded', removedImages, reclaimedBytes });
const failed = (removedImages = 0, reclaimedBytes = 0): NodeOutcome => ({ kind: 'failed', message: 'x', removedImages, reclaimedBytes });
const skipped = (code: 'windows' | 'being-deleted' = 'windows'): NodeOutcome => ({ kind: 'skipped', reason: { code } });
const UNFINISHED: NodeOutcome = { kind: 'unfinished' };
const times = (count: number, outcome: NodeOutcome): NodeOutcome[] => Array.from({ length: count }, () => outcome);

function summarise(outcomes: readonly NodeOutcome[], fields: Partial<JobSummaryInput> = {}) {
  return summariseJob({ outcomes, settings: SETTINGS, previous: {}, now: NOW, ...fields });
}

describe('summariseJob', () => {
  test('counts nodes, images and bytes', () => {
    const { status } = summarise([done(3, 300), done(), failed(1, 50), skipped(), skipped('being-deleted'), UNFINISHED]);
    expect(status).toEqual({
      phase: 'Running',
      desired: 6,
      succeeded: 2,
      failed: 1,
      skipped: 2,
      skippedByReason: { windows: 1, beingDeleted: 1 },
      removedImages: 4,
      reclaimedBytes: 350,
      startTime: '2026-11-21T12:00:00Z',
    });
  });

  test.each<[string, NodeOutcome[], number, readonly [phase: string, ratio: number]]>([
    ['all', times(3, done()), 1, ['Completed', 1]],
    ['272 of 273, of which all must', [...times(272, done()), failed()], 1, ['Failed', 272 / 273]],
    ['272 of 273, of which 99 % must', [...times(272, done()), failed()], 0.99, ['Completed', 272 / 273]],
    ['exactly as many as must: 7 of 100', [...times(7, done()), ...times(93, failed())], 0.07, ['Completed', 0.07]],
    ['one less: 6 of 100', [...times(6, done()), ...times(94, failed())], 0.07, ['Failed', 0.06]],
    ['exactly: 29 of 100', [...times(29, done()), ...times(71, failed())], 0.29, ['Completed', 0.29]],
    ['a skipped node is no failure', [done(), skipped()], 1, ['Completed', 1]],
    ['all skipped', [skipped(), skipped()], 1, ['Completed', 1]],
    ['all failed, and none must succeed', [failed()], 0, ['Completed', 0]],
    ['none at all', [], 1, ['Completed', 1]],
    ['not all ended, though enough have succeeded', [done(), UNFINISHED], 0.5, ['Running', 0.5]],
    ['not all ended, though too many have failed', [failed(), UNFINISHED], 1, ['Running', 0]],
  ])('%s', (_case, outcomes, successRatio, [phase, ratio]) => {
    const summary = summarise(outcomes, { settings: { ...SETTINGS, successRatio } });
    expect(summary.status.phase).toBe(phase);
    expect(summary.successRatio).toBe(ratio);
  });

  test('has failed, whatever the ratio, when more nodes failed than may; and what was not started has not succeeded', () => {
    const notStarted: NodeOutcome = { kind: 'skipped', reason: { code: 'not-started', failed: 1, nodes: 4 } };
    const settings = { ...SETTINGS, successRatio: 0 };
    const summary = summarise([done(), failed(), notStarted, notStarted, skipped()], { settings, isStopped: true });
    expect(summary.successRatio).toBe(2 / 5);
    expect(summary.status).toMatchObject({
      phase: 'Failed',
      desired: 5,
      succeeded: 1,
      failed: 1,
      skipped: 3,
      skippedByReason: { notStarted: 2, windows: 1 },
      deleteAfter: '2026-11-22T12:00:00Z',
    });
  });

  test('is deleted at once when it completed, after a day when it failed', () => {
    expect(summarise([done()]).status).toMatchObject({ completionTime: '2026-11-21T12:00:00Z', deleteAfter: '2026-11-21T12:00:00Z' });
    expect(summarise([failed()]).status).toMatchObject({ completionTime: '2026-11-21T12:00:00Z', deleteAfter: '2026-11-22T12:00:00Z' });
  });

  test('begins once and ends once, however often it is looked at', () => {
    const first = summarise([failed()], { previous: { startTime: '2026-11-21T11:00:00Z' } }).status;
    expect(summarise([failed()], { previous: first, now: NOW + HOUR }).status).toEqual(first);
  });

  test.each<[NodeSkipReason, object]>([
    [{ code: 'not-ready', condition: null }, { notReady: 1 }],
    [{ code: 'filtered', type: 'exclude', selector: 'a' }, { filtered: 1 }],
    [{ code: 'virtual', sign: 'a' }, { virtual: 1 }],
    [{ code: 'unknown-runtime', containerRuntimeVersion: '' }, { unknownRuntime: 1 }],
    [{ code: 'being-deleted' }, {}],
  ])('counts %j', (reason, expected) => {
    expect(summarise([{ kind: 'skipped', reason }]).status).toMatchObject({ skipped: 1, skippedByReason: expected });
  });
});

const outcome: fc.Arbitrary<NodeOutcome> = fc.oneof(
  fc.tuple(fc.nat(9), fc.nat(1e9)).map(([images, bytes]) => done(images, bytes)),
  fc.tuple(fc.nat(9), fc.nat(1e9)).map(([images, bytes]) => failed(images, bytes)),
  fc.constantFrom(skipped(), skipped('being-deleted'), UNFINISHED),
);

test('every node is counted once, and the status is one that the API server takes', () => {
  fc.assert(
    fc.property(fc.array(outcome), fc.double({ min: 0, max: 1, noNaN: true }), (outcomes, successRatio) => {
      const { status, successRatio: ratio } = summarise(outcomes, { settings: { ...SETTINGS, successRatio } });
      const unfinished = outcomes.filter(({ kind }) => kind === 'unfinished').length;
      expect((status.succeeded ?? 0) + (status.failed ?? 0) + (status.skipped ?? 0) + unfinished).toBe(status.desired);
      expect(ratio).toBeGreaterThanOrEqual(0);
      expect(ratio).toBeLessThanOrEqual(1);
      expect(status.phase === 'Running').toBe(unfinished > 0);
      if (status.phase !== 'Running') expect(status.phase === 'Completed').toBe(ratio >= successRatio);
      const metadata = { name: 'j', uid: 'u', resourceVersion: '1', generation: 1, creationTimestamp: '2026-11-21T12:00:00Z' };
      expect(IMAGE_JOB.schema.safeParse({ apiVersion: 'eraser.sh/v1', kind: 'ImageJob', metadata, status }).success).toBe(true);
    }),
  );
});
