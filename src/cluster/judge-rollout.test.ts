import { describe, expect, test } from 'vitest';
import { deploymentSchema, judgeRollout, podSchema } from './judge-rollout.ts';

const containing = (text: string): unknown => expect.stringContaining(text);
const READY = { observedGeneration: 2, replicas: 1, updatedReplicas: 1, availableReplicas: 1 };
const judge = (status: object, pods: readonly object[] = []) =>
  judgeRollout(
    deploymentSchema.parse({ metadata: { generation: 2 }, spec: { replicas: 1 }, status }),
    pods.map((pod) => podSchema.parse(pod)),
    'eraser-system',
  );
const pod = (status: object, metadata: object = {}): object => ({ metadata: { name: 'manager-1', ...metadata }, status });
const waiting = (reason: string, message = ''): object =>
  pod({ containerStatuses: [{ name: 'manager', image: 'example/x:1', ready: false, state: { waiting: { reason, message } } }] });
const STARTING = { ...READY, availableReplicas: 0 };

describe('a Deployment', () => {
  test.each([
    ['that is up', READY, [], { kind: 'ready' }],
    ['whose last version nobody has taken up', { ...READY, observedGeneration: 1 }, [], { kind: 'waiting' }],
    ['that still has a pod of another version', { ...READY, replicas: 2 }, [], { kind: 'waiting' }],
    ['without a pod', { observedGeneration: 2 }, [], { kind: 'waiting', what: "the manager's pod to be made" }],
    [
      'whose container starts',
      STARTING,
      [waiting('ContainerCreating')],
      { kind: 'waiting', what: containing('manager of the pod manager-1') },
    ],
    [
      'whose image is not there',
      STARTING,
      [waiting('ErrImagePull', 'not found')],
      { kind: 'stuck', mayPass: true, what: containing('example/x:1') },
    ],
    [
      'whose image is still not there',
      STARTING,
      [waiting('ImagePullBackOff')],
      { kind: 'stuck', mayPass: false, hint: containing('--image') },
    ],
    [
      'whose configmap is missing',
      STARTING,
      [waiting('CreateContainerConfigError', 'no configmap')],
      { kind: 'stuck', what: containing('no configmap') },
    ],
    ['whose stuck pod is on its way out', STARTING, [pod({}, { deletionTimestamp: '2026-01-01T00:00:00Z' })], { kind: 'waiting' }],
  ] as const)('%s', (_name, status, pods, expected) => {
    expect(judge(status, pods)).toMatchObject(expected);
  });

  test('whose container ends again and again, with its last end and where its log is', () => {
    const state = { waiting: { reason: 'CrashLoopBackOff' } };
    const lastState = { terminated: { exitCode: 137, reason: 'OOMKilled' } };
    expect(judge(STARTING, [pod({ containerStatuses: [{ name: 'manager', ready: false, state, lastState }] })])).toMatchObject({
      kind: 'stuck',
      mayPass: false,
      what: 'manager ends again and again, the last time with the code 137 (OOMKilled)',
      hint: containing('kubectl logs -n eraser-system manager-1 -c manager --previous'),
    });
  });

  test('that no node takes, which may pass, and whose pod is refused, which does not', () => {
    const conditions = [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/3 nodes are available' }];
    expect(judge(STARTING, [pod({ conditions })])).toMatchObject({
      kind: 'stuck',
      mayPass: true,
      what: containing('0/3 nodes'),
    });
    const failure = [{ type: 'ReplicaFailure', status: 'True', message: 'exceeded quota' }];
    expect(judge({ ...STARTING, conditions: failure })).toMatchObject({
      kind: 'stuck',
      mayPass: false,
      what: containing('exceeded quota'),
    });
  });
});
