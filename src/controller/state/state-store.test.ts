import { expect, test } from 'vitest';
import { startFakeCluster } from '../../../test/fakes/fake-cluster.ts';
import { bindClusterApi } from '../bind/bind-cluster-api.ts';
import { firstTermAfter, formatManagerState, NEW_STATE, parseManagerState, STATE_CONFIG_MAP } from './manager-state.ts';
import { StateStore } from './state-store.ts';

const { signal } = new AbortController();
const BEGUN = { ...NEW_STATE, lastBegun: { uid: 'u', generation: 2 } };
const KEY = `eraser-system/${STATE_CONFIG_MAP}`;

test('what was written is read by the next process', async () => {
  const { client } = await startFakeCluster();
  const api = bindClusterApi({ client, namespace: 'eraser-system', isHeld: () => true });
  const store = new StateStore(api, 'eraser-system');
  expect(await store.read(signal)).toEqual(NEW_STATE);
  await store.write(BEGUN, signal);
  await store.write({ ...BEGUN, automatic: { job: 'j', stage: 'intended' } }, signal);
  expect(await new StateStore(api, 'eraser-system').read(signal)).toEqual({ ...BEGUN, automatic: { job: 'j', stage: 'intended' } });
});

test('a state of before requests for runs is read, with none answered', () => {
  expect(parseManagerState(JSON.stringify({ ...NEW_STATE, lastRequest: undefined }))).toEqual({ ok: true, value: NEW_STATE });
});

test('nothing is written once another may lead', async () => {
  const { server, client } = await startFakeCluster();
  const store = new StateStore(bindClusterApi({ client, namespace: 'eraser-system', isHeld: () => false }), 'eraser-system');
  await expect(store.write(BEGUN, signal)).rejects.toMatchObject({ name: 'NotLeading' });
  expect(server.history.get('/configmaps', KEY)).toBeUndefined();
});

test('a state that cannot be read is no new one', async () => {
  const { server, client } = await startFakeCluster();
  server.put('/configmaps', {
    metadata: { name: STATE_CONFIG_MAP, namespace: 'eraser-system' },
    data: { 'state.json': '{"schedule": 1}' },
  });
  const store = new StateStore(bindClusterApi({ client, namespace: 'eraser-system', isHeld: () => true }), 'eraser-system');
  await expect(store.read(signal)).rejects.toMatchObject({ code: 'unreadable-state' });
  await expect(store.write(BEGUN, signal)).rejects.toMatchObject({ code: 'unreadable-state' });
});

test('a leader whose term is over neither reads nor writes what a later one has written', async () => {
  const { client } = await startFakeCluster();
  const api = bindClusterApi({ client, namespace: 'eraser-system', isHeld: () => true });
  const [early, late] = [new StateStore(api, 'eraser-system', 4), new StateStore(api, 'eraser-system', 5)];
  await early.write(BEGUN, signal);
  await late.write({ ...BEGUN, automatic: { job: 'j', stage: 'intended' } }, signal);
  await expect(early.write(NEW_STATE, signal)).rejects.toMatchObject({ code: 'conflict' });
  await expect(early.write(NEW_STATE, signal)).rejects.toMatchObject({ code: 'superseded' });
  expect(await late.read(signal)).toEqual({ ...BEGUN, automatic: { job: 'j', stage: 'intended' }, term: 5 });
});

test.each<[string | null, number]>([
  [null, 1],
  [formatManagerState(NEW_STATE), 1],
  [formatManagerState({ ...NEW_STATE, term: 41 }), 42],
  ['{', 1],
  ['{"term": "x"}', 1],
])('a Lease that is made anew begins above the stored term: %j', (text, expected) => {
  expect(firstTermAfter(text)).toBe(expected);
});
