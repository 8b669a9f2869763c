import { describe, expect, test } from 'vitest';
import { acceptedConfiguration } from '../../../test/fakes/cluster.ts';
import type { ImageJob } from '../../api/image-job.ts';
import type { Gate } from '../configuration/inputs.ts';
import { NEW_STATE, type ManagerState } from '../state/manager-state.ts';
import { beginLateRun, planAutomaticRun, type AutomaticRunStep } from './plan-automatic-run.ts';

const NOW = Date.parse('2026-01-01T12:00:00Z');
const HOUR = 3_600_000;

function openGate(beginImmediately: boolean, isOn = true, more: object = {}): Gate {
  const scheduling = { repeatInterval: '24h', beginImmediately, ...more };
  return {
    kind: 'open',
    inputs: { configuration: acceptedConfiguration({ scheduling }, { collector: { enabled: isOn } }), exclusions: [] },
  };
}
const CLOSED: Gate = { kind: 'closed', reason: 'ExclusionsUnreadable', message: '' };

function jobOf(phase?: 'Running' | 'Completed' | 'Failed', completionTime?: string): ImageJob {
  const metadata = {
    name: 'job',
    uid: 'u',
    resourceVersion: '1',
    generation: 1,
    creationTimestamp: '2026-01-01T00:00:00Z',
    labels: {},
    annotations: {},
  };
  const status = { ...(phase === undefined ? {} : { phase }), ...(completionTime === undefined ? {} : { completionTime }) };
  return { apiVersion: 'eraser.sh/v1', kind: 'ImageJob', metadata, status };
}

const plan = (
  state: Partial<ManagerState>,
  fields: { job?: ImageJob; gate?: Gate; request?: string; lateAfter?: typeof LATE; now?: number } = {},
): AutomaticRunStep =>
  planAutomaticRun({ state: { ...NEW_STATE, ...state }, job: null, gate: openGate(true), request: null, now: NOW, ...fields });

const ranAt = (startedAt: number): ManagerState['schedule'] => ({
  lastRun: { startedAt, endedAt: startedAt + 1_000 },
  reckonedFrom: startedAt,
  plannedFor: `interval ${24 * HOUR}`,
});
const LATE = { run: 'imagejob-1', startedAt: NOW - 2 * HOUR, endedAt: NOW - HOUR, away: ['a'], had: [] as string[] };
const intended = { job: 'job', stage: 'intended' } as const;
const created = { job: 'job', stage: 'created' } as const;

describe('planAutomaticRun', () => {
  test('stores the start of a run and the name of its job before there is one', () => {
    expect(plan({})).toMatchObject({
      kind: 'begin',
      state: {
        automatic: { job: 'imagejob-20260101t120000000z', stage: 'intended' },
        schedule: { lastRun: { startedAt: NOW, endedAt: null } },
      },
    });
  });

  test.each<[string, Partial<ManagerState>, { job?: ImageJob; gate?: Gate }, object]>([
    ['waits for the first interval', {}, { gate: openGate(false) }, { kind: 'wait', lookAgainAfterMs: 60_000 }],
    ['has nothing to do when automatic runs are off', {}, { gate: openGate(true, false) }, { kind: 'wait', lookAgainAfterMs: null }],
    [
      'waits for the maintenance window, though a run is due',
      { schedule: ranAt(NOW - 48 * HOUR) },
      { gate: openGate(true, true, { maintenanceWindow: { opens: '0 3 * * *', length: '2h' } }) },
      { kind: 'wait' },
    ],
    [
      'begins while the maintenance window is open',
      { schedule: ranAt(NOW - 48 * HOUR) },
      { gate: openGate(true, true, { timeZone: 'Asia/Tokyo', maintenanceWindow: { opens: '0 20 * * *', length: '2h' } }) },
      { kind: 'begin' },
    ],
    [
      'goes by a cron expression rather than the interval',
      { schedule: { ...ranAt(NOW - 48 * HOUR), plannedFor: 'cron 30 12 * * * UTC' } },
      { gate: openGate(true, true, { cron: '30 12 * * *' }) },
      { kind: 'wait' },
    ],
    [
      'begins at the time of a cron expression, in its time zone',
      { schedule: { ...ranAt(NOW - HOUR), plannedFor: 'cron 55 20 * * * Asia/Tokyo' } },
      { gate: openGate(false, true, { cron: '55 20 * * *', timeZone: 'Asia/Tokyo' }) },
      { kind: 'begin' },
    ],
    ['begins none without readable exclusions', {}, { gate: CLOSED }, { kind: 'wait', state: { automatic: null } }],
    ['runs not again after a restart', { schedule: ranAt(NOW - HOUR) }, {}, { kind: 'wait' }],
    ['runs after the interval', { schedule: ranAt(NOW - 24 * HOUR) }, {}, { kind: 'begin' }],
    ['makes the job that was intended', { automatic: intended }, {}, { kind: 'create-job', name: 'job', state: { automatic: created } }],
    [
      'makes it also when the exclusions have become unreadable: it waits then',
      { automatic: intended },
      { gate: CLOSED },
      { kind: 'create-job' },
    ],
    [
      'finds the job that was made before a kill',
      { automatic: intended },
      { job: jobOf() },
      { kind: 'created', state: { automatic: created } },
    ],
    ['waits for a job that runs', { automatic: created }, { job: jobOf('Running') }, { kind: 'wait', lookAgainAfterMs: null }],
    [
      'takes a job that someone deleted for over',
      { automatic: created, schedule: ranAt(NOW) },
      {},
      { kind: 'ended', state: { automatic: null, hasCleaned: false } },
    ],
    [
      'has cleaned for good when a job has completed',
      { automatic: created, schedule: ranAt(NOW) },
      { job: jobOf('Completed', '2026-01-01T04:00:00Z') },
      { kind: 'ended', state: { hasCleaned: true } },
    ],
    [
      'has not cleaned when a job has failed',
      { automatic: created, schedule: ranAt(NOW) },
      { job: jobOf('Failed', '2026-01-01T04:00:00Z') },
      { kind: 'ended', state: { hasCleaned: false } },
    ],
    [
      'has cleaned, whatever becomes of later jobs',
      { automatic: created, schedule: ranAt(NOW), hasCleaned: true },
      { job: jobOf('Failed', '2026-01-01T04:00:00Z') },
      { kind: 'ended', state: { hasCleaned: true } },
    ],
    [
      'takes the end of a job from the job, however late it is looked at',
      { automatic: created, schedule: ranAt(NOW - 9 * HOUR) },
      { job: jobOf('Completed', '2026-01-01T04:00:00Z') },
      { kind: 'ended', state: { automatic: null, schedule: { lastRun: { endedAt: NOW - 8 * HOUR } } } },
    ],
  ])('%s', (_name, state, fields, expected) => {
    expect(plan(state, fields)).toMatchObject(expected);
  });
});

describe('a run that is asked for', () => {
  const ran = { schedule: ranAt(NOW - HOUR) };
  const answered = { token: 'first', job: 'job' };
  const conditions = [expect.objectContaining({ type: 'RunRequestAccepted', status: 'True', reason: 'RunBegun' })] as unknown[];

  test.each<[string, Partial<ManagerState>, { job?: ImageJob; gate?: Gate; request?: string }, object]>([
    ['begins though none is due, and is remembered with its intent', ran, { request: 'first' }, begun('first')],
    ['is a new one when no state is stored', {}, { request: 'first' }, begun('first')],
    [
      'begins outside of the maintenance window',
      ran,
      { request: 'first', gate: openGate(true, true, { maintenanceWindow: { opens: '0 3 * * *', length: '2h' } }) },
      begun('first'),
    ],
    ['is not begun again', { ...ran, lastRequest: answered }, { request: 'first' }, { kind: 'wait', state: { lastRequest: answered } }],
    ['is begun for another token', { ...ran, lastRequest: answered }, { request: 'second' }, begun('second')],
    ['waits as long as the gate is closed', ran, { request: 'first', gate: CLOSED }, { kind: 'wait', state: { lastRequest: null } }],
    [
      'waits for the run that is under way',
      { ...ran, automatic: created, lastRequest: answered },
      { request: 'second', job: jobOf('Running') },
      { kind: 'wait', state: { lastRequest: answered } },
    ],
    [
      'is what its job is made for',
      { ...ran, automatic: intended, lastRequest: answered },
      { request: 'second' },
      { kind: 'create-job', request: 'first' },
    ],
    [
      'is not what the job of a later run is made for',
      { ...ran, automatic: intended, lastRequest: { token: 'first', job: 'earlier' } },
      { request: 'first' },
      { kind: 'create-job', request: null },
    ],
    [
      'is refused once and for all when automatic runs are off',
      ran,
      { request: 'first', gate: openGate(true, false) },
      { kind: 'refused', state: { automatic: null, lastRequest: { token: 'first', job: null } } },
    ],
    [
      'that was refused is not begun when they are turned on',
      { ...ran, lastRequest: { token: 'first', job: null } },
      { request: 'first' },
      { kind: 'wait' },
    ],
  ])('%s', (_name, state, fields, expected) => {
    expect(plan(state, fields)).toMatchObject(expected);
  });

  test('is one with a run that is due at the same time', () => {
    expect(plan({ schedule: ranAt(NOW - 48 * HOUR) }, { request: 'first' })).toMatchObject(begun('first'));
  });

  function begun(token: string): object {
    const job = 'imagejob-20260101t120000000z';
    const schedule = { lastRun: { startedAt: NOW, endedAt: null } };
    return { kind: 'begin', state: { automatic: { job, stage: 'intended' }, lastRequest: { token, job }, schedule, conditions } };
  }
});

describe('a run over late nodes', () => {
  const ran = ranAt(NOW - HOUR);
  const lateJob = { job: 'job', stage: 'created', late: { of: 'imagejob-1', nodes: ['a'] } } as const;
  const underWay = { schedule: ran, late: { ...LATE, had: ['a'] }, automatic: { ...lateJob, late: { of: 'imagejob-1', nodes: ['a'] } } };

  test('is stored with its nodes, which have had theirs then, before there is a job', () => {
    const state = beginLateRun({ ...NEW_STATE, schedule: ran }, { late: LATE, nodes: ['a'], now: NOW });
    expect(state).toMatchObject({
      schedule: ran,
      automatic: { job: 'imagejob-20260101t120000000z', stage: 'intended', late: { of: 'imagejob-1', nodes: ['a'] } },
      late: { ...LATE, had: ['a'] },
    });
    expect(plan(state)).toMatchObject({ kind: 'create-job', name: 'imagejob-20260101t120000000z', lateNodesOf: 'imagejob-1' });
  });

  test.each([
    ['completed', jobOf('Completed', '2026-01-01T11:30:00Z')],
    ['failed', jobOf('Failed', '2026-01-01T11:30:00Z')],
    ['deleted', undefined],
  ])('%s: is over with no effect on when the next is due, nor on what is known of the whole cluster', (_case, job) => {
    const step = plan(underWay, { ...(job === undefined ? {} : { job }), lateAfter: LATE });
    expect(step).toMatchObject({ kind: 'ended', state: { automatic: null, schedule: ran, hasCleaned: false, late: { had: ['a'] } } });
  });

  test('is possible after a run over all nodes has ended, until the next one begins', () => {
    const ended = plan({ automatic: created, schedule: ran }, { job: jobOf('Completed', '2026-01-01T11:30:00Z'), lateAfter: LATE });
    expect(ended.state.late).toEqual(LATE);
    expect(plan({ ...ended.state, schedule: ranAt(NOW - 24 * HOUR) })).toMatchObject({ kind: 'begin', state: { late: null } });
    const again = plan({ automatic: created, schedule: ran, late: LATE }, { job: jobOf('Completed', '2026-01-01T11:30:00Z') });
    expect(again.state.late).toBeNull();
  });
});
