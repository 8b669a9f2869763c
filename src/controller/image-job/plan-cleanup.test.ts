import { expect, test } from 'vitest';
import type { ImageJob } from '../../api/image-job.ts';
import { planCleanup, type CleanupInput } from './plan-cleanup.ts';

const NOW = Date.parse('2026-01-01T12:00:00Z');

function ended(name: string, completionTime: string, deleteAfter = '2026-01-02T00:00:00Z'): ImageJob {
  const metadata = {
    name,
    uid: name,
    resourceVersion: '1',
    generation: 1,
    creationTimestamp: '2026-01-01T00:00:00Z',
    labels: {},
    annotations: {},
  };
  return { apiVersion: 'eraser.sh/v1', kind: 'ImageJob', metadata, status: { phase: 'Completed', completionTime, deleteAfter } };
}

const OLD = ended('old', '2026-01-01T10:00:00Z');
const NEW = ended('new', '2026-01-01T11:00:00Z');

test.each<[string, Partial<CleanupInput>, object]>([
  ['kept for its time', {}, { kind: 'keep', lookAgainAfterMs: 12 * 3_600_000 }],
  ['deleted after its time', { job: ended('old', '2026-01-01T10:00:00Z', '2026-01-01T12:00:00Z') }, { kind: 'delete' }],
  [
    'never deleted before its end is on record',
    { job: ended('old', '2026-01-01T10:00:00Z', '2026-01-01T12:00:00Z'), isAwaited: true },
    { kind: 'keep' },
  ],
  ['deleted when enough came after it', { historyLimit: 1 }, { kind: 'delete' }],
  ['kept when too few came after it', { job: NEW, historyLimit: 1 }, { kind: 'keep' }],
])('%s', (_name, input, expected) => {
  expect(planCleanup({ job: OLD, jobs: [OLD, NEW], isAwaited: false, historyLimit: 10, now: NOW, ...input })).toMatchObject(expected);
});

test('of jobs that ended in the same second, the latest are kept', () => {
  const jobs = ['list-10', 'list-8', 'list-9'].map((name) => ended(name, '2026-01-01T11:00:00Z'));
  const kept = jobs.filter((job) => planCleanup({ job, jobs, isAwaited: false, historyLimit: 2, now: NOW }).kind === 'keep');
  expect(kept.map(({ metadata }) => metadata.name)).toEqual(['list-10', 'list-9']);
});
