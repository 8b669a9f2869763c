import { describe, expect, test } from 'vitest';
import { parseImageJob } from './image-job.ts';

const METADATA = {
  name: 'imagejob-abc',
  uid: 'u-1',
  resourceVersion: '7',
  generation: 1,
  creationTimestamp: '2026-11-01T10:00:00Z',
  labels: { 'eraser.sh/job-owner': 'imagecollector' },
  annotations: {},
};
const made = (parts: object): object => ({ apiVersion: 'eraser.sh/v1', kind: 'ImageJob', metadata: METADATA, ...parts });

describe('parseImageJob', () => {
  test.each([
    ['that has not begun', {}],
    [
      'as Eraser left it',
      { status: { desired: 3, succeeded: 2, failed: 0, skipped: 1, phase: 'Completed', deleteAfter: '2025-01-02T03:04:05Z' } },
    ],
    [
      'with all that is new',
      {
        status: {
          phase: 'Failed',
          skippedByReason: { notReady: 1, filtered: 2, windows: 3, virtual: 4, unknownRuntime: 5 },
          startTime: '2026-11-01T10:00:00Z',
          completionTime: '2026-11-01T12:00:00+02:00',
          removedImages: 4,
          reclaimedBytes: 0,
          observedGeneration: 1,
          conditions: [
            { type: 'Failed', status: 'True', lastTransitionTime: '2026-11-01T10:00:00Z', reason: 'TooFewNodes', message: '1 of 3' },
          ],
        },
      },
    ],
  ])('a job %s', (_what, parts) => {
    const raw = made(parts);
    expect(parseImageJob(raw)).toEqual({ ok: true, value: raw });
  });

  test.each([
    ['a phase that is none', { phase: 'Paused' }, 'status.phase'],
    ['a number of nodes that is none', { desired: 'all' }, 'status.desired'],
    ['a reason that is no number', { skippedByReason: { windows: true } }, 'status.skippedByReason.windows'],
  ])('%s is an error', (_what, status, path) => {
    expect(parseImageJob(made({ status }))).toMatchObject({ ok: false, errors: [{ path }] });
  });
});
