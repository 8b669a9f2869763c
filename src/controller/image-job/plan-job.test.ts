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

  describe('when more nodes have failed than may', () => {
    const failed = { kind: 'failed', message: 'm', removedImages: 0, reclaimedBytes: 0 } as const;
    const notStarted = (count: number, of: number) => ({ kind: 'skipped', reason: { code: 'not-started', failed: count, nodes: of } });

    test('starts no others, lets those in flight end, and says of each that waits why', () => {
      const pods = new Map([
        ['b', podOn('b', 'Running')],
        ['f', podOn('f', 'Pending')],
      ]);
      const nodes = [node('a', failed), node('b', { kind: 'started' }), node('c'), node('d'), node('e'), node('f', { kind: 'started' })];
      const planned = plan(nodes, { pods, maxFailed: 0, maxParallel: 3, occupied: new Set(['e']) });
      expect(planned.start).toEqual([]);
      expect(planned.stop).toEqual([]);
      expect(planned.inFlight).toEqual(['b', 'f']);
      expect(Object.fromEntries(planned.records)).toEqual({ c: notStarted(1, 6), d: notStarted(1, 6), e: notStarted(1, 6) });
      expect(planned.isToRecordNow).toBe(true);
    });

    test.each<[string, PodFacts, Partial<JobPlanInput>]>([
      ['has ended just now', podOn('b', 'Failed'), {}],
      [
        'is about to fail, since a container of it has',
        {
          ...podOn('b', 'Running'),
          containers: [
            { name: 's', state: { kind: 'failed', exitCode: 1, reason: '', message: '' } },
            { name: 'remover', state: { kind: 'running' } },
          ],
        },
        {},
      ],
      ['has had its time', podOn('b', 'Running'), { sightings: new Map([['b', { phase: 'running', since: 0 }]]) }],
      ['is on a node that is lost', podOn('b', 'Running'), { nodeFaults: new Map([['b', 'the node is gone']]) }],
    ])('counts one whose pod %s', (_case, pod, fields) => {
      const nodes = [node('a', failed), node('b', { kind: 'started' }), node('c')];
      const pods = new Map([['b', pod]]);
      expect(plan(nodes, { pods, maxFailed: 1, ...fields }).records.get('c')).toEqual(notStarted(2, 3));
      expect(plan(nodes, { pods, maxFailed: 2, ...fields }).records.get('c')).toBeUndefined();
    });

    test('has no pause, since nothing comes after it', () => {
      const planned = plan([node('a', { ...failed, wave: 1 }), node('b')], {
        maxFailed: 0,
        waves: new Map([['a', 1]]),
        pause: { ms: 1_000, ended: null },
      });
      expect(planned).toMatchObject({ start: [], pausedUntil: null, lookAgainAt: null });
      expect(isOver(withRecords([node('a', failed), node('b')], planned.records))).toBe(true);
    });

    test('goes over all nodes when as many have failed as may, and where nothing is said', () => {
      const nodes = [node('a', failed), node('b')];
      expect(plan(nodes, { maxFailed: 1 }).start).toEqual(['b']);
      expect(plan(nodes).start).toEqual(['b']);
    });
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

  /** Pods end as they like, and controllers come and go: what is on record stays, and so do pods; what a process has seen does not. */
  test('with a pause and a limit of failures: each node has one result, no wave is too large, and few begin after too many have failed', () => {
    const end = fc.constantFrom('Succeeded', 'Failed');
    const step = fc.record({ ends: fc.array(end, { maxLength: 4 }), passMs: fc.integer({ min: 1, max: 3_000 }), restart: fc.boolean() });
    const settings = fc.record({
      count: fc.integer({ min: 1, max: 12 }),
      maxParallel: fc.integer({ min: 1, max: 4 }),
      maxFailed: fc.integer({ min: 0, max: 12 }),
      pauseMs: fc.constantFrom(0, 2_000),
    });
    fc.assert(
      fc.property(settings, fc.array(step, { maxLength: 40 }), ({ count, maxParallel, maxFailed, pauseMs }, steps) => {
        let nodes = Array.from({ length: count }, (_, at) => node(`n${String(at)}`));
        const pods = new Map<string, PodFacts>();
        const waves = new Map<string, number>();
        const waveEndedAt = new Map<number, number>();
        let made = new Set<string>();
        let sightings: JobPlanInput['sightings'] = new Map();
        let ended: JobPlan['ended'] = null;
        let now = 0;
        const ofKind = (kind: NodeRecord['kind']): number => nodes.filter(({ record }) => record.kind === kind).length;
        const look = (): void => {
          const planned = plan(nodes, { pods, made, waves, maxFailed, pause: { ms: pauseMs, ended }, sightings, maxParallel, now });
          for (const [name, record] of planned.records) {
            const known = nodes.find((one) => one.name === name)?.record ?? { kind: 'waiting' };
            expect(hasOutcome(known)).toBe(false);
            // No node that a pod was made for is told not to have been started.
            if (record.kind === 'skipped') expect(pods.has(name)).toBe(false);
          }
          nodes = withRecords(nodes, planned.records);
          for (const { node: name } of planned.stop) {
            if (name === null) continue;
            pods.set(name, podOn(name, 'Failed'));
            waveEndedAt.set(waves.get(name) ?? 0, now);
          }
          if (ofKind('failed') > maxFailed) expect(planned.start).toEqual([]);
          for (const name of planned.start) {
            expect(made.has(name) || pods.has(name)).toBe(false);
            made.add(name);
            pods.set(name, podOn(name, 'Running'));
            if (planned.wave === null) continue;
            waves.set(name, planned.wave);
            const before = waveEndedAt.get(planned.wave - 1) ?? -Infinity;
            expect(now - before).toBeGreaterThanOrEqual(pauseMs);
          }
          for (const of of Map.groupBy(waves.values(), (wave) => wave).values()) expect(of.length).toBeLessThanOrEqual(maxParallel);
          ({ sightings, ended } = planned);
        };
        for (const { ends, passMs, restart } of [...steps, ...steps.map((one) => ({ ...one, restart: false }))]) {
          look();
          now += passMs;
          const live = [...pods].filter(([, { phase }]) => phase === 'Running');
          for (const [at, phase] of ends.entries()) {
            const [name] = live[at] ?? [];
            if (name === undefined) continue;
            pods.set(name, podOn(name, phase));
            waveEndedAt.set(waves.get(name) ?? 0, now);
          }
          if (!restart) continue;
          made = new Set();
          sightings = new Map();
          ended = null;
        }
        for (let rounds = 0; !isOver(nodes) && rounds < 200; rounds++) {
          look();
          now += 5_000;
        }
        expect(isOver(nodes)).toBe(true);
        expect(ofKind('succeeded') + ofKind('failed') + ofKind('skipped')).toBe(count);
        // Those that were in flight together may all fail.
        expect(ofKind('failed')).toBeLessThanOrEqual(maxFailed + maxParallel);
        expect(ofKind('skipped') > 0).toBe(ofKind('failed') > maxFailed && pods.size < count);
      }),
    );
  });
});
