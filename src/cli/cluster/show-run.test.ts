import { describe, expect, test } from 'vitest';
import type { FollowEvent } from '../../cluster/follow-event.ts';
import type { RunEnd } from '../../cluster/run-end.ts';
import { formatRunEnd, runDocument, showRun } from './show-run.ts';

const node = (name: string, state: 'succeeded' | 'failed', removedImages: number) => ({
  node: name,
  state,
  removedImages,
  reclaimedBytes: removedImages * 1024,
});

const metadata = {
  name: 'imagejob-x',
  uid: 'u',
  resourceVersion: '1',
  generation: 1,
  creationTimestamp: '2026-01-01T00:00:00Z',
  labels: {},
  annotations: {},
};
const status = { phase: 'Running', desired: 4, skipped: 1, skippedByReason: { notReady: 1 } } as const;
const counts = { desired: 4, succeeded: 0, failed: 0, skipped: 1 };
const EVENTS: readonly FollowEvent[] = [
  { kind: 'waiting', why: 'The run y is under way.' },
  { kind: 'begun', job: { apiVersion: 'eraser.sh/v1', kind: 'ImageJob', metadata, status } },
  { kind: 'progress', progress: { ...counts, running: ['a', 'b'] } },
  { kind: 'node-ended', node: node('a', 'succeeded', 2) },
  { kind: 'progress', progress: { ...counts, succeeded: 1, running: ['b', 'c'] } },
  { kind: 'node-ended', node: node('b', 'failed', 0) },
];

function shown(isLive: boolean): readonly string[] {
  const lines: string[] = [];
  const show = showRun({
    isLive,
    say: (line) => lines.push(line),
    pass: (line) => (isLive ? lines.push(`~${line}`) : undefined),
    clear: () => undefined,
  });
  EVENTS.forEach(show);
  return lines;
}

describe('showRun', () => {
  test('has a line for each change where there is no terminal', () => {
    expect(shown(false)).toEqual([
      'Waiting. The run y is under way.',
      'imagejob-x: 4 nodes, 1 skipped (1 not ready)',
      '  at work: a, b',
      '  2/4 a: 2 images removed, 2.0 KiB freed',
      '  at work: c',
      '  3/4 b failed',
    ]);
  });

  test('has the counts in a passing line on a terminal', () => {
    expect(shown(true)).toEqual([
      'Waiting. The run y is under way.',
      'imagejob-x: 4 nodes, 1 skipped (1 not ready)',
      '~  2 running, 0 succeeded, 0 failed, 1 skipped of 4 nodes: a, b',
      '  2/4 a: 2 images removed, 2.0 KiB freed',
      '~  2 running, 1 succeeded, 0 failed, 1 skipped of 4 nodes: b, c',
      '  3/4 b failed',
    ]);
  });
});

describe('the end of a run', () => {
  const END: RunEnd = {
    job: 'imagejob-x',
    phase: 'Failed',
    startTime: '2026-01-01T00:00:00Z',
    completionTime: '2026-01-01T00:01:30Z',
    nodes: { desired: 4, succeeded: 2, failed: 1, skipped: 1, skippedByReason: { notReady: 1 } },
    removedImages: 3,
    reclaimedBytes: 3072,
    message: '2 of 4 nodes succeeded: Failed: b: no runtime',
    endedNodes: [node('a', 'succeeded', 2), node('b', 'failed', 0)],
  };

  test('has the figures, and which nodes failed and why', () => {
    expect(formatRunEnd(END)).toBe(
      [
        'Failed: imagejob-x, in 1m30s',
        '  nodes    2 of 4 nodes succeeded, 1 failed, 1 skipped (1 not ready)',
        '  removed  3 images',
        '  freed    3.0 KiB',
        '  2 of 4 nodes succeeded: Failed: b: no runtime',
        '',
      ].join('\n'),
    );
    expect(formatRunEnd({ ...END, phase: 'Completed', nodes: { ...END.nodes, failed: 0 } })).not.toContain('no runtime');
  });

  test('is a document with the nodes by name', () => {
    expect(runDocument(END)).toMatchObject({
      phase: 'Failed',
      removedImages: 3,
      nodes: {
        failed: 1,
        ended: [
          { name: 'a', result: 'succeeded', removedImages: 2 },
          { name: 'b', result: 'failed' },
        ],
      },
    });
  });
});
