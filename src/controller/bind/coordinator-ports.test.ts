import { describe, expect, test } from 'vitest';
import { startFakeCluster } from '../../../test/fakes/fake-cluster.ts';
import type { PodFacts } from '../image-job/pod-facts.ts';
import { WorkerPods } from '../image-job/worker-pods.ts';
import { bindNodePods, bindRuns, bindWorkerPods } from './coordinator-ports.ts';

const { signal } = new AbortController();
const podObject = (name: string, fields: object): never => ({ metadata: { name, namespace: 'shop' }, ...fields }) as never;
const container = (image: string): object => ({ containers: [{ name: 'main', image }] });

describe('the pods bound to a node', () => {
  test('are those of all namespaces that have not ended, with all images that they name', async () => {
    const { server, client } = await startFakeCluster();
    server.put('/pods', podObject('bound', { spec: { nodeName: 'a', ...container('web:1'), initContainers: [{ image: 'init:1' }] } }));
    server.put('/pods', podObject('elsewhere', { spec: { nodeName: 'b', ...container('web:2') } }));
    server.put('/pods', podObject('ended', { spec: { nodeName: 'a', ...container('web:3') }, status: { phase: 'Succeeded' } }));
    const pods = await bindNodePods(client).list('a', signal);
    expect(pods).toMatchObject([{ namespace: 'shop', name: 'bound', imageReferences: ['web:1', 'init:1'] }]);
  });

  test('with one that cannot be read there is no answer', async () => {
    const { server, client } = await startFakeCluster();
    server.put('/pods', podObject('odd', { spec: { nodeName: 'a', containers: 'none' } }));
    await expect(bindNodePods(client).list('a', signal)).rejects.toThrow('the pod shop/odd cannot be read');
  });
});

describe('a worker pod', () => {
  const facts = (fields: Partial<PodFacts> = {}): PodFacts => ({
    name: 'eraser-a-1',
    uid: 'u1',
    job: { name: 'job', uid: 'j1' },
    node: 'a',
    phase: 'Running',
    reason: '',
    message: '',
    isBeingDeleted: false,
    containers: [],
    unscheduled: '',
    ...fields,
  });

  test('is known by its uid from the copy', async () => {
    const { server, client } = await startFakeCluster();
    const pods = new WorkerPods({ values: () => [facts()] });
    const found = await bindWorkerPods({ client, namespace: 'n', pods }).find({ uid: 'u1', name: 'eraser-a-1' }, signal);
    expect(found).toEqual({
      uid: 'u1',
      name: 'eraser-a-1',
      namespace: 'n',
      job: 'j1',
      node: 'a',
      isFinished: false,
      isBeingDeleted: false,
    });
    expect(server.requests).toEqual([]);
  });

  test('is asked for when the copy does not have it, and another of its name is not it', async () => {
    const { server, client } = await startFakeCluster();
    const owner = { kind: 'ImageJob', name: 'job', uid: 'j1' };
    const metadata = { name: 'eraser-a-1', namespace: 'n', ownerReferences: [owner] };
    const { uid = '' } = server.put('/pods', { metadata, spec: { nodeName: 'a' } }).metadata;
    const port = bindWorkerPods({ client, namespace: 'n', pods: new WorkerPods({ values: () => [] }) });
    expect(await port.find({ uid, name: 'eraser-a-1' }, signal)).toMatchObject({ uid, job: 'j1', node: 'a' });
    expect(await port.find({ uid: 'another', name: 'eraser-a-1' }, signal)).toBeNull();
    expect(await port.find({ uid, name: 'absent' }, signal)).toBeNull();
  });

  test('that the copy has had is gone when the copy has it no more', async () => {
    const { client } = await startFakeCluster();
    const copy = [facts()];
    const pods = new WorkerPods({ values: () => copy });
    pods.add(facts());
    const port = bindWorkerPods({ client, namespace: 'n', pods });
    expect(await port.find({ uid: 'u1', name: 'eraser-a-1' }, signal)).not.toBeNull();
    copy.pop();
    expect(await port.find({ uid: 'u1', name: 'eraser-a-1' }, signal)).toBeNull();
  });

  test('that belongs to no run is none of ours', async () => {
    const { client } = await startFakeCluster();
    const pods = new WorkerPods({ values: () => [facts({ job: { name: '', uid: '' } })] });
    expect(await bindWorkerPods({ client, namespace: 'n', pods }).find({ uid: 'u1', name: 'eraser-a-1' }, signal)).toBeNull();
  });
});

test('a run that is not taken up yet is not over: its workers come again', async () => {
  await expect(bindRuns(() => ({ kind: 'not-taken-up' })).isRunning('j', signal)).rejects.toThrow('not been taken up');
  await expect(bindRuns(() => ({ kind: 'not-taken-up' })).settingsOf('j', signal)).rejects.toThrow('not been taken up');
  expect(await bindRuns(() => ({ kind: 'over' })).isRunning('j', signal)).toBe(false);
  expect(await bindRuns(() => ({ kind: 'over' })).settingsOf('j', signal)).toBeNull();
});
