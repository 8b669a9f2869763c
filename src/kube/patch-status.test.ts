import { describe, expect, test } from 'vitest';
import { startFakeCluster, type FakeCluster } from '../../test/fakes/fake-cluster.ts';
import type { KubeObject } from './kube-object.ts';
import { patchStatus } from './patch-status.ts';
import type { JsonObject } from './plan-merge-patch.ts';
import { CONFIG_MAPS } from './resource.ts';

const call = { signal: new AbortController().signal };
const ONE = { resource: CONFIG_MAPS, namespace: 'shop', name: 'one' };
const make = ({ server }: FakeCluster, status: object): KubeObject =>
  server.put('/configmaps', { metadata: { name: 'one', namespace: 'shop' }, status });
const stored = ({ client }: FakeCluster): Promise<KubeObject> => client.get(ONE, call);

describe('patchStatus', () => {
  test('sends what differs, to the status alone', async () => {
    const cluster = await startFakeCluster();
    const observed = make(cluster, { phase: 'Running', old: 1 });
    const patched = await patchStatus(cluster.client, ONE, { observed, statusOf: () => ({ phase: 'Running', done: 3 }) }, call);
    expect(patched.outcome).toBe('patched');
    expect((await stored(cluster))['status']).toEqual({ phase: 'Running', done: 3 });
    expect(cluster.server.requests[0]).toMatchObject({ method: 'PATCH', path: '/api/v1/namespaces/shop/configmaps/one/status' });
  });

  test('asks nothing when nothing differs', async () => {
    const cluster = await startFakeCluster();
    const observed = make(cluster, { phase: 'Running' });
    const patched = await patchStatus(cluster.client, ONE, { observed, statusOf: () => ({ phase: 'Running' }) }, call);
    expect(patched).toEqual({ outcome: 'unchanged', object: observed });
    expect(cluster.server.requests).toHaveLength(0);
  });

  test('computes anew from what another wrote meanwhile, and overwrites none of it', async () => {
    const cluster = await startFakeCluster();
    const observed = make(cluster, { count: 1 });
    const current = await stored(cluster);
    cluster.server.history.put('/configmaps', 'shop/one', { ...current, status: { count: 5, other: 'x' } });
    const statusOf = (object: KubeObject): JsonObject => {
      const status = object['status'] as { count: number };
      return { ...status, count: status.count + 1 };
    };
    expect((await patchStatus(cluster.client, ONE, { observed, statusOf }, call)).outcome).toBe('patched');
    expect((await stored(cluster))['status']).toEqual({ count: 6, other: 'x' });
  });

  test('says that it is gone when it was deleted, or is another by now', async () => {
    const cluster = await startFakeCluster();
    const observed = make(cluster, {});
    cluster.server.history.delete('/configmaps', 'shop/one');
    const change = { observed, statusOf: () => ({ phase: 'Done' }) };
    expect(await patchStatus(cluster.client, ONE, change, call)).toEqual({ outcome: 'gone' });
    make(cluster, { phase: 'New' });
    expect(await patchStatus(cluster.client, ONE, change, call)).toEqual({ outcome: 'gone' });
    expect((await stored(cluster))['status']).toEqual({ phase: 'New' });
  });

  test('gives up after five lost races', async () => {
    const cluster = await startFakeCluster();
    const observed = make(cluster, {});
    const conflict = JSON.stringify({ kind: 'Status', code: 409, reason: 'Conflict', message: 'modified' });
    for (let i = 0; i < 9; i++) {
      cluster.server.failNext({ kind: 'answer', statusCode: 409, body: conflict }, ({ method }) => method === 'PATCH');
    }
    const patching = patchStatus(cluster.client, ONE, { observed, statusOf: () => ({ phase: 'Done' }) }, call);
    await expect(patching).rejects.toMatchObject({ code: 'conflict' });
    expect(cluster.server.requests.filter(({ method }) => method === 'PATCH')).toHaveLength(5);
  });
});
