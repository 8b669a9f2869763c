import { describe, expect, test } from 'vitest';
import { FAILING_GRACE_MS, judgeNode, LEAVING_MS, STOPPING_MS, type NodeInput } from './judge-node.ts';
import type { ContainerFacts, PodFacts } from './pod-facts.ts';

const ok: ContainerFacts['state'] = { kind: 'terminated-ok', message: '{"removed":3,"reclaimedBytes":7.4}' };
const failing = (message = ''): ContainerFacts['state'] => ({ kind: 'failed', exitCode: 1, reason: 'Error', message });

function pod(phase: string, containers: Readonly<Record<string, ContainerFacts['state']>> = {}, fields: Partial<PodFacts> = {}): PodFacts {
  const job = { name: 'job', uid: 'job-uid' };
  const named = Object.entries(containers).map(([name, state]) => ({ name, state }));
  return {
    name: 'pod',
    uid: 'pod-uid',
    job,
    node: 'a',
    phase,
    reason: '',
    message: '',
    isBeingDeleted: false,
    containers: named,
    unscheduled: '',
    ...fields,
  };
}

const NOW = 1_000_000;
const BASE: NodeInput = {
  record: { kind: 'waiting' },
  pod: null,
  reported: null,
  isMade: false,
  nodeFault: null,
  isOccupied: false,
  sighting: null,
  blockedMs: 60_000,
  now: NOW,
};
const judge = (fields: Partial<NodeInput>): ReturnType<typeof judgeNode> => judgeNode({ ...BASE, ...fields });
const REPORTED = { removedImages: 2, reclaimedBytes: 5 } as const;
const STARTED = { kind: 'started' } as const;
const FAILED = { kind: 'failed', message: 'm', removedImages: 0, reclaimedBytes: 0 } as const;

describe('judgeNode', () => {
  test.each<[string, Partial<NodeInput>, object]>([
    ['nothing yet', {}, { record: null, progress: { kind: 'waiting' }, isToStop: false }],
    ['another run is there', { isOccupied: true }, { record: null, progress: { kind: 'held' } }],
    [
      'another run stays there',
      { isOccupied: true, sighting: { phase: 'blocked', since: NOW - 60_000 } },
      { record: { kind: 'failed', message: 'the worker pod of another run did not leave the node' } },
    ],
    ['its pod is new', { pod: pod('Pending') }, { record: STARTED, progress: { kind: 'pending', since: NOW } }],
    [
      'its pod waits since before',
      { record: STARTED, pod: pod('Pending', {}, { unscheduled: 'no place' }), sighting: { phase: 'pending', since: 5 } },
      { record: null, progress: { kind: 'pending', since: 5 }, why: 'no place' },
    ],
    [
      'its results are on record, and someone has deleted its pod since',
      { record: STARTED, reported: REPORTED },
      { record: { kind: 'succeeded', ...REPORTED }, progress: { kind: 'ended' } },
    ],
    [
      'its results are on record, and its pod is evicted before it says the same',
      { record: STARTED, pod: pod('Failed', {}, { reason: 'Evicted' }), reported: REPORTED },
      { record: { kind: 'failed', message: 'Evicted', ...REPORTED } },
    ],
    [
      'its results are on record, and another container has failed that keeps it from its end',
      {
        record: STARTED,
        pod: pod('Running', { scanner: failing('broken'), remover: { kind: 'running' } }),
        reported: REPORTED,
        sighting: { phase: 'failing', since: NOW - FAILING_GRACE_MS },
      },
      { record: { kind: 'failed', ...REPORTED }, isToStop: true },
    ],
    [
      'its results are on record, while its containers still run',
      { record: STARTED, pod: pod('Running', { remover: { kind: 'running' } }), reported: REPORTED },
      { record: { kind: 'succeeded', ...REPORTED }, progress: { kind: 'ended' }, isToStop: false },
    ],
    [
      'its results are on record, and its node is lost',
      { record: STARTED, pod: pod('Running', { remover: { kind: 'running' } }), reported: REPORTED, nodeFault: 'lost' },
      { record: { kind: 'succeeded', ...REPORTED } },
    ],
    [
      'its results are on record, but a container has failed',
      { record: STARTED, pod: pod('Running', { scanner: failing('broken'), remover: { kind: 'running' } }), reported: REPORTED },
      { record: null, progress: { kind: 'failing' } },
    ],
    [
      'it has succeeded, and its containers leave',
      { record: { kind: 'succeeded', ...REPORTED }, pod: pod('Running', { remover: { kind: 'running' } }) },
      { record: null, progress: { kind: 'ended' }, isToStop: false, sighting: { phase: 'leaving', since: NOW } },
    ],
    [
      'it has succeeded, and its containers do not leave',
      {
        record: { kind: 'succeeded', ...REPORTED },
        pod: pod('Running', { remover: { kind: 'running' } }),
        sighting: { phase: 'leaving', since: NOW - LEAVING_MS },
      },
      { record: null, progress: { kind: 'running' }, isToStop: true, sighting: { phase: 'stopping', since: NOW } },
    ],
    ['one container runs', { pod: pod('Running', { remover: { kind: 'running' } }) }, { progress: { kind: 'running', since: NOW } }],
    [
      'all containers have ended, and the pod is not told to',
      { record: STARTED, pod: pod('Running', { collector: ok, remover: ok }) },
      { record: { kind: 'succeeded', removedImages: 3, reclaimedBytes: 7 }, progress: { kind: 'ended' } },
    ],
    [
      'one container cannot start while others wait for it',
      {
        pod: pod('Pending', { remover: { kind: 'running' }, 'trivy-scanner': { kind: 'waiting', message: 'ErrImagePull: no such image' } }),
      },
      { progress: { kind: 'pending', since: NOW }, why: 'ErrImagePull: no such image' },
    ],
    [
      'all containers are done',
      { record: STARTED, pod: pod('Succeeded', { collector: ok, remover: ok }) },
      { record: { kind: 'succeeded', removedImages: 3, reclaimedBytes: 7 }, progress: { kind: 'ended' } },
    ],
    [
      'said to have succeeded, with a container that failed',
      { pod: pod('Succeeded', { collector: failing('no socket'), remover: ok }) },
      { record: { kind: 'failed', message: 'collector exited with 1: no socket', removedImages: 3 } },
    ],
    [
      'a container failed and the others go on',
      { pod: pod('Running', { collector: failing(), remover: { kind: 'running' } }) },
      { record: STARTED, progress: { kind: 'failing', since: NOW }, isToStop: false },
    ],
    [
      'a container failed, and the others had their time',
      {
        record: STARTED,
        pod: pod('Running', { collector: failing('{"message":"why"}'), remover: { kind: 'running' } }),
        sighting: { phase: 'failing', since: NOW - FAILING_GRACE_MS },
      },
      { record: { kind: 'failed', message: 'collector exited with 1: why' }, isToStop: true },
    ],
    [
      'evicted',
      { pod: pod('Failed', {}, { reason: 'Evicted', message: 'the node was low on memory' }) },
      { record: { kind: 'failed', message: 'Evicted: the node was low on memory' } },
    ],
    [
      'evicted, which ended its containers',
      { pod: pod('Failed', { remover: failing('signal') }, { reason: 'Evicted', message: 'the node was low on memory' }) },
      { record: { kind: 'failed', message: 'Evicted: the node was low on memory' } },
    ],
    [
      'its pod is gone',
      { record: STARTED },
      { record: { kind: 'failed', message: 'its worker pod is gone: someone deleted it' }, progress: { kind: 'ended' } },
    ],
    ['its pod was made here and is gone', { isMade: true }, { record: { kind: 'failed' } }],
    [
      'its node is lost',
      { record: STARTED, pod: pod('Running', { remover: { kind: 'running' } }), nodeFault: 'the node is gone' },
      { record: { kind: 'failed', message: 'the node is gone' }, isToStop: true },
    ],
    [
      'on record, and its pod was not deleted yet',
      { record: FAILED, pod: pod('Running') },
      { record: null, isToStop: true, progress: { kind: 'running' } },
    ],
    [
      'on record, and its pod is being stopped',
      { record: FAILED, pod: pod('Running', {}, { isBeingDeleted: true }), sighting: { phase: 'stopping', since: NOW - 1_000 } },
      { record: null, isToStop: false, progress: { kind: 'running' } },
    ],
    [
      'on record, and its pod does not stop',
      { record: FAILED, pod: pod('Running', {}, { isBeingDeleted: true }), sighting: { phase: 'stopping', since: NOW - STOPPING_MS } },
      { progress: { kind: 'ended' } },
    ],
    [
      'on record, and its pod has ended',
      { record: FAILED, pod: pod('Failed') },
      { record: null, progress: { kind: 'ended' }, isToStop: false },
    ],
    [
      'on record, and its containers have ended, though the pod is not told to',
      { record: FAILED, pod: pod('Running', { collector: ok, remover: failing() }) },
      { record: null, progress: { kind: 'ended' }, isToStop: false },
    ],
  ])('%s', (_name, input, expected) => {
    const judged = judge(input);
    expect({
      ...judged,
      progress: judged.sighting?.phase === 'failing' ? { kind: 'failing', since: judged.sighting.since } : judged.progress,
    }).toMatchObject(expected);
  });
});
