import { expect, test } from 'vitest';
import type { RawObject } from '../raw-object.ts';
import { readPodFacts, type PodFacts } from './pod-facts.ts';
import { WorkerPods } from './worker-pods.ts';

const raw = (name: string, job: string, status: object = {}): RawObject => ({
  metadata: { name, uid: `uid-${name}`, ownerReferences: [{ kind: 'ImageJob', name: job, uid: `uid-${job}` }] },
  spec: { nodeName: 'n1' },
  status,
});

test('a pod that was made is there until the copy was told of it; then the copy alone counts', () => {
  const copied: PodFacts[] = [];
  const pods = new WorkerPods({ values: () => copied });
  const pod = readPodFacts(raw('a', 'job'));
  pods.add(pod);
  expect([...pods.of('uid-job').keys()]).toEqual(['a']);
  copied.push(pod);
  pods.notice('a');
  expect([...pods.of('uid-job').keys()]).toEqual(['a']);
  copied.length = 0;
  expect([...pods.of('uid-job').keys()]).toEqual([]);
  // It is not made again for that.
  expect(pods.isMade('a')).toBe(true);
});

test('a pod that the copy had before its making was answered is gone when the copy has it no more', () => {
  const pod = readPodFacts(raw('a', 'job'));
  const copied = [pod];
  const pods = new WorkerPods({ values: () => copied });
  pods.notice('a');
  pods.add(pod);
  copied.length = 0;
  expect([...pods.of('uid-job').keys()]).toEqual([]);
  expect(pods.isMade('a')).toBe(true);
});

test('a node is occupied by the pods of other runs that may still work', () => {
  const running = readPodFacts(raw('a', 'other', { phase: 'Running' }));
  const ended = readPodFacts({ ...raw('b', 'other', { phase: 'Failed' }), spec: { nodeName: 'n2' } });
  const own = readPodFacts({ ...raw('c', 'job', { phase: 'Running' }), spec: { nodeName: 'n3' } });
  expect([...new WorkerPods({ values: () => [running, ended, own] }).occupiedBesides('uid-job')]).toEqual(['n1']);
});

test('reads the facts of a pod, and of one that says nothing', () => {
  const affinity = {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n9'] }] }],
      },
    },
  };
  const containerStatuses = [
    { name: 'collector', state: { terminated: { exitCode: 137, reason: 'OOMKilled' } } },
    { name: 'remover', state: { waiting: { reason: 'ErrImagePull', message: 'no such image' } } },
    { name: 'trivy-scanner', state: { running: { startedAt: '2026-01-01T00:00:00Z' } } },
  ];
  const conditions = [{ type: 'PodScheduled', status: 'False', message: 'no place' }];
  expect(readPodFacts({ ...raw('a', 'job', { phase: 'Pending', containerStatuses, conditions }), spec: { affinity } })).toMatchObject({
    job: { name: 'job', uid: 'uid-job' },
    node: 'n9',
    phase: 'Pending',
    unscheduled: 'no place',
    containers: [
      { name: 'collector', state: { kind: 'failed', exitCode: 137, reason: 'OOMKilled' } },
      { name: 'remover', state: { kind: 'waiting', message: 'ErrImagePull: no such image' } },
      { name: 'trivy-scanner', state: { kind: 'running' } },
    ],
  });
  expect(readPodFacts({ metadata: { name: 'x' }, spec: 'odd' })).toMatchObject({ name: 'x', phase: '', node: null, containers: [] });
});
