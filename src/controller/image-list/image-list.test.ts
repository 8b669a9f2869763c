import { describe, expect, test } from 'vitest';
import type { ImageJob } from '../../api/image-job.ts';
import type { ImageList } from '../../api/image-list.ts';
import type { Gate } from '../configuration/inputs.ts';
import { NEW_STATE, type ManagerState } from '../state/manager-state.ts';
import { describeEnd, describeStep } from './image-list-status.ts';
import { planImageList } from './plan-image-list.ts';
import { planManualRun } from './plan-manual-run.ts';

const OPEN = { kind: 'open', inputs: {} } as Gate;
const CLOSED: Gate = { kind: 'closed', reason: 'ExclusionsUnreadable', message: 'mine/a.json: is not JSON' };
const VERSION = { uid: 'list-uid', generation: 3 };
const metadata = { resourceVersion: '1', creationTimestamp: '2026-01-01T00:00:00Z', labels: {}, annotations: {} };
const NOW = Date.parse('2026-01-01T12:00:00Z');

const listOf = (images: readonly string[], name = 'imagelist'): ImageList => ({
  apiVersion: 'eraser.sh/v1',
  kind: 'ImageList',
  metadata: { ...metadata, name, ...VERSION },
  spec: { images: [...images] },
});
const jobOf = (status: ImageJob['status'] = {}): ImageJob => ({
  apiVersion: 'eraser.sh/v1',
  kind: 'ImageJob',
  metadata: { ...metadata, name: 'job', uid: 'job-uid', generation: 1 },
  status,
});
const manual = (stage: 'intended' | 'created'): ManagerState => ({
  ...NEW_STATE,
  manual: { job: 'job', stage, list: VERSION },
  lastBegun: VERSION,
});

const USUAL = { isWorkedOffBefore: false, waitsFor: null };

describe('planImageList', () => {
  test.each<[string, ImageList, Partial<ManagerState>, Gate, object]>([
    ['a new list is begun', listOf(['a']), {}, OPEN, { kind: 'begin', version: VERSION }],
    ['one that was begun is not', listOf(['a']), { lastBegun: VERSION }, OPEN, { kind: 'nothing' }],
    ['one whose run goes on says so', listOf(['a']), manual('created'), OPEN, { kind: 'under-way' }],
    [
      'a newer version waits',
      listOf(['a']),
      { ...manual('created'), lastBegun: { ...VERSION, generation: 2 } },
      OPEN,
      { kind: 'under-way' },
    ],
    ['one made anew is begun', listOf(['a']), { lastBegun: { uid: 'other', generation: 9 } }, OPEN, { kind: 'begin' }],
    ['without readable exclusions none is', listOf(['a']), {}, CLOSED, { kind: 'stalled', reason: 'ExclusionsUnreadable' }],
    ['one of another name never is', listOf(['a'], 'mine'), {}, OPEN, { kind: 'stalled', reason: 'UnsupportedName' }],
    [
      'an entry that is no image is named',
      listOf(['a', 'nginx*']),
      {},
      OPEN,
      { kind: 'stalled', message: expect.stringMatching(/^spec\.images\[1\]: "nginx\*"/) as string },
    ],
    ['an empty list has nothing to do', listOf([]), {}, OPEN, { kind: 'empty' }],
  ])('%s', (...[, list, state, gate, expected]) => {
    expect(planImageList({ ...USUAL, list, state: { ...NEW_STATE, ...state }, gate })).toMatchObject(expected);
  });

  test('one that was worked off before is taken for run, whatever its entries are', () => {
    const state = NEW_STATE;
    const before = { ...USUAL, isWorkedOffBefore: true };
    expect(planImageList({ ...before, list: listOf(['nginx*']), state, gate: CLOSED })).toEqual({ kind: 'adopt', version: VERSION });
    expect(planImageList({ ...before, list: listOf(['a']), state: { ...state, lastBegun: VERSION }, gate: OPEN })).toEqual({
      kind: 'nothing',
    });
  });

  test('one whose job does not begin says why', () => {
    const step = planImageList({
      isWorkedOffBefore: false,
      waitsFor: 'It may not.',
      list: listOf(['a']),
      state: manual('created'),
      gate: OPEN,
    });
    expect(step).toEqual({ kind: 'under-way', message: 'The run job waits. It may not.' });
  });
});

describe('planManualRun', () => {
  test.each<[string, ManagerState, ImageJob | null, object]>([
    ['none is under way', NEW_STATE, null, { kind: 'none' }],
    [
      'its job is to be made',
      manual('intended'),
      null,
      { kind: 'create-job', name: 'job', list: VERSION, state: { manual: { stage: 'created' } } },
    ],
    ['its job was made before a kill', manual('intended'), jobOf(), { kind: 'created', state: { manual: { stage: 'created' } } }],
    ['its job runs', manual('created'), jobOf({ phase: 'Running' }), { kind: 'running' }],
    ['its job has ended', manual('created'), jobOf({ phase: 'Failed' }), { kind: 'ended', state: { manual: null, lastBegun: VERSION } }],
    ['its job was deleted by someone', manual('created'), null, { kind: 'ended', end: { job: null }, state: { manual: null } }],
  ])('%s', (_name, state, job, expected) => {
    expect(planManualRun(state, job)).toMatchObject(expected);
  });
});

describe('the status of a list', () => {
  const before = { success: 1, failed: 1, skipped: 0, timestamp: '2026-01-01T01:00:00Z' };

  test('keeps the counts of the last run while the next one goes on', () => {
    const status = describeStep({ kind: 'under-way', message: 'm' }, { before, generation: 4, now: NOW });
    expect(status).toMatchObject({ ...before, observedGeneration: 4 });
    expect(status.conditions?.map(({ type, status: is }) => [type, is])).toEqual([
      ['Ready', 'False'],
      ['Reconciling', 'True'],
    ]);
  });

  test('tells the counts and the time of the run that is over', () => {
    const job = jobOf({
      phase: 'Completed',
      succeeded: 5,
      failed: 0,
      skipped: 2,
      completionTime: '2026-01-01T11:00:00Z',
      removedImages: 9,
      reclaimedBytes: 10,
    });
    const under = describeStep({ kind: 'under-way', message: 'm' }, { before, generation: 3, now: NOW });
    const status = describeEnd({ list: VERSION, job }, { before: under, now: NOW });
    expect(status).toMatchObject({
      success: 5,
      failed: 0,
      skipped: 2,
      timestamp: '2026-01-01T11:00:00Z',
      removedImages: 9,
      observedGeneration: 3,
    });
    expect(status.conditions).toMatchObject([{ type: 'Ready', status: 'True' }]);
  });

  test('of a job that was deleted says that, and is written at a time', () => {
    const status = describeEnd({ list: VERSION, job: null }, { before: {}, now: NOW });
    expect(status).toMatchObject({
      timestamp: '2026-01-01T12:00:00Z',
      conditions: [{ type: 'Ready', status: 'False', reason: 'JobDeleted' }],
    });
  });

  test('keeps the time of a condition whose status is as before', () => {
    const stalled = { kind: 'stalled', reason: 'InvalidImages', message: 'm' } as const;
    const first = describeStep(stalled, { before, generation: 1, now: NOW });
    const second = describeStep({ ...stalled, message: 'n' }, { before: first, generation: 2, now: NOW + 60_000 });
    expect(second.conditions?.map(({ lastTransitionTime, message }) => [lastTransitionTime, message])).toEqual([
      ['2026-01-01T12:00:00Z', 'n'],
      ['2026-01-01T12:00:00Z', 'n'],
    ]);
  });
});
