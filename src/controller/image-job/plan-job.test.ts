import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hasOutcome, type NodeRecord, type RunNode } from './node-records.ts';
import { isOver, planJob, withRecords, type JobPlan, type JobPlanInput } from './plan-job.ts';
import type { PodFacts } from './pod-facts.ts';

const node = (name: string, record: NodeRecord = { kind: 'waiting' }): RunNode => ({
  name,
  participating: { name, runtime: 'containerd', isUnderDiskPressure: false },
  record,
});
const podOn = (name: string, phase: string): PodFacts => ({
  name: `pod-${name}`,
  uid: `uid-${name}`,
  job: { name: 'job', uid: 'job-uid' },
  node: name,
  phase,
  reason: '',
  message: '',
  isBeingDeleted: false,
  containers: phase === 'Running' ? [{ name: 'remover', state: { kind: 'running' } }] : [],
  unscheduled: '',
});

function plan(nodes: readonly RunNode[], fields: Partial<JobPlanInput> = {}): JobPlan {
  const timeouts = { startMs: 1_000, runMs: 10_000 };
  const none = {
    pods: new Map(),
    reported: new Map(),
    made: new Set<string>(),
    nodeFaults: new Map(),
    occupied: new Set<string>(),
    sightings: new Map(),
  };
  return planJob({ ...none, nodes, maxParallel: 2, timeouts, now: 100_000, ...fields });
}

describe('planJob', () => {
  test('starts as many as may be in flight, and leaves out those that another run is on', () => {
    const planned = plan(
      ['a', 'b', 'c', 'd'].map((name) => node(name)),
      { occupied: new Set(['a']) },
    );
    expect(planned.start).toEqual(['b', 'c']);
    expect(planned.lookAgainAt).not.toBeNull();
  });

  test('puts a pod that has had its time on record, with what it waited for, and has it deleted', () => {
    const pods = new Map([['a', { ...podOn('a', 'Pending'), unscheduled: 'no place' }]]);
    const planned = plan([node('a', { kind: 'started' })], { pods, sightings: new Map([['a', { phase: 'pending', since: 99_000 }]]) });
    expect(planned.records.get('a')).toMatchObject({
      kind: 'failed',
      message: expect.stringMatching(/did not start .*: no place/) as string,
    });
    expect(planned.stop.map(({ uid }) => uid)).toEqual(['uid-a']);
  });

  test('keeps the place of a pod that is being stopped', () => {
    const record = { kind: 'failed', message: 'm', removedImages: 0, reclaimedBytes: 0 } as const;
    const pods = new Map([['a', { ...podOn('a', 'Running'), isBeingDeleted: true }]]);
    expect(plan([node('a', record), node('b'), node('c')], { pods }).start).toEqual(['b']);
  });

  test.each<[string, PodFacts | null, boolean]>([
    ['is there, and can be looked at again', podOn('a', 'Succeeded'), false],
    ['is about to go', { ...podOn('a', 'Succeeded'), isBeingDeleted: true }, true],
    ['is gone', null, true],
  ])('has an outcome put on record at once unless its pod %s', (_case, pod, expected) => {
    const planned = plan([node('a', { kind: 'started' })], { pods: new Map(pod === null ? [] : [['a', pod]]) });
    expect(planned.records.size).toBe(1);
    expect(planned.isToRecordNow).toBe(expected);
  });

  test('is over when there is an outcome for each node', () => {
    const ended = withRecords([node('a'), node('b')], new Map([['a', { kind: 'succeeded', removedImages: 0, reclaimedBytes: 0 }]]));
    expect(isOver(ended)).toBe(false);
    expect(isOver(withRecords(ended, new Map([['b', { kind: 'skipped', reason: { code: 'windows' } }]])))).toBe(true);
  });

  /** Pods come and go as they like; whoever asks, and whenever. */
  test('makes at most one pod for a node, never more at once than may be, and comes to an end', () => {
    const step = fc.record({ which: fc.nat(9), to: fc.constantFrom('Running', 'Succeeded', 'Failed', 'gone'), restart: fc.boolean() });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10 }),
        fc.integer({ min: 1, max: 4 }),
        fc.array(step, { maxLength: 60 }),
        (count, maxParallel, steps) => {
          let nodes = Array.from({ length: count }, (_, at) => node(`n${String(at)}`));
          const pods = new Map<string, PodFacts>();
          const made: string[] = [];
          let sightings: JobPlanInput['sightings'] = new Map();
          let now = 0;
          const look = (): void => {
            const planned = plan(nodes, { pods, made: new Set(made), sightings, maxParallel, now });
            nodes = withRecords(nodes, planned.records);
            for (const { node: name } of planned.stop) if (name !== null) pods.delete(name);
            for (const name of planned.start) {
              made.push(name);
              pods.set(name, podOn(name, 'Pending'));
            }
            sightings = planned.sightings;
            const live = [...pods.values()].filter(({ phase }) => phase === 'Pending' || phase === 'Running');
            expect(live.length).toBeLessThanOrEqual(maxParallel);
          };
          for (const { which, to, restart } of steps) {
            look();
            now += 100;
            if (restart) sightings = new Map();
            const name = `n${String(which)}`;
            const pod = pods.get(name);
            if (pod === undefined || hasOutcome(nodes.find((known) => known.name === name)?.record ?? { kind: 'waiting' })) continue;
            if (to === 'gone') pods.delete(name);
            else pods.set(name, podOn(name, to));
          }
          for (let rounds = 0; !isOver(nodes) && rounds < 200; rounds++) {
            look();
            now += 5_000;
          }
          expect(isOver(nodes)).toBe(true);
          expect(new Set(made).size).toBe(made.length);
        },
      ),
    );
  });
});
