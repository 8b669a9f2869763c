import { describe, expect, test } from 'vitest';
import { eventually } from '../../test/fakes/eventually.ts';
import { startFakeCluster } from '../../test/fakes/fake-cluster.ts';
import type { FakeApiServer, SeenRequest } from '../../test/fakes/fake-api-server.ts';
import { keyOf } from './kube-object.ts';
import { CONFIG_MAPS } from './resource.ts';

const call = { signal: new AbortController().signal };
const ALL = { resource: CONFIG_MAPS };
const isContinued = ({ query }: SeenRequest): boolean => query.has('continue');

function fill(server: FakeApiServer, count: number): string[] {
  const names = Array.from({ length: count }, (_, at) => `map-${String(at).padStart(5, '0')}`);
  for (const name of names) server.put('/configmaps', { metadata: { name, namespace: 'shop' } });
  return names.map((name) => `shop/${name}`);
}

describe('list', () => {
  test('reads in pages of 500, all of one state, and keeps only what is trimmed', async () => {
    const { server, client } = await startFakeCluster();
    const keys = fill(server, 1_200);
    const { items, resourceVersion } = await client.list(ALL, { trim: keyOf }, call);
    expect(items).toEqual(keys);
    expect(resourceVersion).toBe(String(server.history.version));
    expect(server.requests.map(({ query }) => [query.get('limit'), query.get('resourceVersion')])).toEqual([
      ['500', null],
      ['500', null],
      ['500', null],
    ]);
  });

  test('starts again when the continue token expires, and mixes no two states', async () => {
    const { server, client } = await startFakeCluster();
    fill(server, 30);
    server.failNext({ kind: 'slow', ms: 60 }, isContinued);
    const listing = client.list(ALL, { trim: keyOf, pageSize: 10 }, call);
    await eventually(() => server.requests.length).toBe(2);
    server.history.delete('/configmaps', 'shop/map-00003');
    server.history.compact();
    const { items } = await listing;
    expect(items).toHaveLength(29);
    expect(new Set(items).size).toBe(29);
    expect(items).not.toContain('shop/map-00003');
    expect(server.requests).toHaveLength(2 + 3);
  });

  test('does not start again for ever', async () => {
    const { server, client } = await startFakeCluster();
    fill(server, 20);
    const expired = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' };
    for (let i = 0; i < 10; i++) server.failNext({ kind: 'answer', statusCode: 410, body: JSON.stringify(expired) }, isContinued);
    await expect(client.list(ALL, { trim: keyOf, pageSize: 10 }, call)).rejects.toMatchObject({ code: 'gone' });
    expect(server.requests).toHaveLength(10);
  });

  test('a page that fails is asked again, not the list', async () => {
    const { server, client } = await startFakeCluster();
    const keys = fill(server, 30);
    server.failNext({ kind: 'reset' }, isContinued);
    expect((await client.list(ALL, { trim: keyOf, pageSize: 10 }, call)).items).toEqual(keys);
    expect(server.requests).toHaveLength(4);
  });

  test('an older state is asked for with the first page only', async () => {
    const { server, client } = await startFakeCluster();
    fill(server, 15);
    await client.list(ALL, { trim: keyOf, pageSize: 10, at: { resourceVersion: '7', match: 'NotOlderThan' } }, call);
    expect(server.requests.map(({ query }) => [query.get('resourceVersion'), query.get('resourceVersionMatch')])).toEqual([
      ['7', 'NotOlderThan'],
      [null, null],
    ]);
  });

  test('selectors go with each page', async () => {
    const { server, client } = await startFakeCluster();
    fill(server, 15);
    await client.list(ALL, { trim: keyOf, pageSize: 10, labelSelector: 'a=b', fieldSelector: 'metadata.namespace=shop' }, call);
    for (const { query } of server.requests) {
      expect([query.get('labelSelector'), query.get('fieldSelector')]).toEqual(['a=b', 'metadata.namespace=shop']);
    }
  });

  test('a list without items is an empty one', async () => {
    const { server, client } = await startFakeCluster();
    server.failNext({ kind: 'answer', statusCode: 200, body: '{"kind":"List","metadata":{"resourceVersion":"5"},"items":null}' });
    expect(await client.list(ALL, { trim: keyOf }, call)).toEqual({ items: [], resourceVersion: '5' });
  });

  test('aborting between two pages ends it with the reason', async () => {
    const { server, client } = await startFakeCluster();
    fill(server, 30);
    server.failNext({ kind: 'stall' }, isContinued);
    const stop = new AbortController();
    const listing = client.list(ALL, { trim: keyOf, pageSize: 10 }, { signal: stop.signal });
    setTimeout(() => stop.abort(new Error('stopped')), 50);
    await expect(listing).rejects.toThrow('stopped');
    await eventually(() => server.openRequests).toBe(0);
  });
});
