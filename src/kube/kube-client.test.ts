import { describe, expect, test } from 'vitest';
import { eventually } from '../../test/fakes/eventually.ts';
import type { ClusterAccess } from './cluster-access.ts';
import { CONFIG_MAPS, NODES, PODS } from './resource.ts';
import { clientOf, startFakeCluster } from '../../test/fakes/fake-cluster.ts';
import { FakeApiServer } from '../../test/fakes/fake-api-server.ts';

const { signal } = new AbortController();
const call = { signal };
const SHOP = { resource: CONFIG_MAPS, namespace: 'shop' };
const ONE = { ...SHOP, name: 'one' };
const configMap = (name: string): { metadata: { name: string; namespace: string } } => ({ metadata: { name, namespace: 'shop' } });

describe('connections', () => {
  test('200 calls in a row share a connection or two', async () => {
    const { server, client } = await startFakeCluster();
    for (let i = 0; i < 200; i++) await client.find(ONE, call);
    expect(server.requests).toHaveLength(200);
    // The second, when a call follows before undici has put the first connection back.
    expect(server.connections).toBeLessThanOrEqual(2);
  });

  test('another CA or client certificate gets connections of its own, and the old ones end', async () => {
    const server = await new FakeApiServer().start();
    const tls = { ca: FakeApiServer.authority };
    let access: ClusterAccess = { server: server.url, tls, headers: {} };
    const client = clientOf(server.url, { access: { current: () => Promise.resolve(access) } });
    await client.find(ONE, call);
    expect(server.connections).toBe(1);
    access = { ...access, tls: { ca: `${FakeApiServer.authority}\n` } };
    await client.find(ONE, call);
    expect(server.connections).toBe(2);
    await eventually(() => server.openConnections).toBe(1);
    await client.close();
    await eventually(() => server.openConnections).toBe(0);
    await server.stop();
  });

  test('speaks HTTP/1.1 with a server that offers HTTP/2', async () => {
    const { server, client } = await startFakeCluster();
    await client.find(ONE, call);
    expect(server.requests[0]?.httpVersion).toBe('1.1');
  });

  test('a certificate of another authority is not trusted, and not asked again', async () => {
    const server = await new FakeApiServer().start();
    const client = clientOf(server.url, { access: { current: () => Promise.resolve({ server: server.url, tls: {}, headers: {} }) } });
    await expect(client.get(ONE, call)).rejects.toMatchObject({
      code: 'untrusted',
      action: 'give-up',
      hint: expect.stringContaining('certificate-authority') as string,
    });
    expect(server.requests).toHaveLength(0);
    await client.close();
    await server.stop();
  });

  test('a server that is not there is unreachable, by an error that names it, the verb and the resource', async () => {
    const client = clientOf('https://127.0.0.1:1');
    const failure = client.list({ resource: PODS, namespace: 'shop' }, { trim: () => 0 }, { signal, retryBudgetMs: 0 });
    await expect(failure).rejects.toMatchObject({ code: 'unreachable', action: 'retry', notExecuted: true });
    await expect(failure).rejects.toThrow(
      /list pods in namespace shop: the API server at https:\/\/127\.0\.0\.1:1 cannot be reached: .*ECONNREFUSED/,
    );
    await client.close();
  });
});

describe('repetition', () => {
  test('an idempotent call is repeated after a reset', async () => {
    const { server, client } = await startFakeCluster();
    server.put('/configmaps', configMap('one'));
    server.failNext({ kind: 'reset' });
    expect((await client.get(ONE, call)).metadata.name).toBe('one');
    expect(server.requests).toHaveLength(2);
  });

  test('a create is not repeated after a reset: it may have been carried out', async () => {
    const { server, client } = await startFakeCluster();
    server.failNext({ kind: 'reset', executed: true });
    await expect(client.create(SHOP, configMap('one'), call)).rejects.toMatchObject({ code: 'unreachable', notExecuted: false });
    expect(server.requests).toHaveLength(1);
    expect(await client.find(ONE, call)).not.toBeNull();
  });

  test('neither is a JSON patch', async () => {
    const { server, client } = await startFakeCluster();
    server.put('/configmaps', configMap('one'));
    server.failNext({ kind: 'reset' });
    const patch = { strategy: 'json', operations: [{ op: 'add', path: '/data', value: {} }] } as const;
    await expect(client.patch(ONE, patch, call)).rejects.toMatchObject({ code: 'unreachable' });
    expect(server.requests).toHaveLength(1);
  });

  test.each([429, 503])('waits as long as Retry-After says on a %d, with any call', async (statusCode) => {
    const { server, client } = await startFakeCluster();
    server.failNext({ kind: 'answer', statusCode, headers: { 'retry-after': '1' }, body: 'slow down' });
    const begun = performance.now();
    await client.create(SHOP, configMap('one'), call);
    expect(performance.now() - begun).toBeGreaterThanOrEqual(990);
    expect(server.requests).toHaveLength(2);
  });

  test('a Retry-After beyond the budget ends the call and is told', async () => {
    const { server, client } = await startFakeCluster();
    server.failNext({ kind: 'answer', statusCode: 429, headers: { 'retry-after': '3600' } });
    await expect(client.get(ONE, call)).rejects.toMatchObject({ code: 'throttled', retryAfterMs: 3_600_000 });
    expect(server.requests).toHaveLength(1);
  });

  test('ends with the budget', async () => {
    const { server, client } = await startFakeCluster();
    for (let i = 0; i < 20; i++) server.failNext({ kind: 'answer', statusCode: 500 });
    await expect(client.get(ONE, { signal, retryBudgetMs: 700 })).rejects.toMatchObject({ code: 'server-error', action: 'retry' });
    expect(server.requests.length).toBeGreaterThan(1);
    expect(server.requests.length).toBeLessThan(6);
  });

  test('what the API server refuses for good is asked once', async () => {
    const { server, client } = await startFakeCluster();
    await expect(client.get(ONE, call)).rejects.toMatchObject({ code: 'not-found', action: 'give-up' });
    expect(server.requests).toHaveLength(1);
  });
});

describe('credentials', () => {
  test('after a 401 the token is read again, once', async () => {
    const tokens = ['old', 'new'];
    let read = 0;
    const server = await new FakeApiServer().start();
    server.tokens = new Set(['new']);
    const client = clientOf(server.url, {
      access: {
        current: () =>
          Promise.resolve({
            server: server.url,
            tls: { ca: FakeApiServer.authority },
            headers: { authorization: `Bearer ${tokens[read] ?? ''}` },
          }),
        renew: () => (read += 1),
      },
    });
    await client.create(SHOP, configMap('one'), call);
    expect(server.requests.map(({ authorization }) => authorization)).toEqual(['Bearer old', 'Bearer new']);
    server.tokens = new Set();
    await expect(client.get(ONE, call)).rejects.toMatchObject({
      code: 'unauthorized',
      hint: expect.stringContaining('log in again') as string,
    });
    expect(server.requests).toHaveLength(4);
    await client.close();
    await server.stop();
  });

  test('credentials that never come end the call by its deadline', async () => {
    const { client } = await startFakeCluster({ access: { current: () => new Promise(() => undefined) } });
    await expect(client.get(ONE, { signal, deadlineMs: 50, retryBudgetMs: 0 })).rejects.toMatchObject({ code: 'timeout' });
  });
});

describe('deadline and signal', () => {
  test('an answer that never comes ends by the deadline, and the next call goes through', async () => {
    const { server, client } = await startFakeCluster();
    server.put('/configmaps', configMap('one'));
    server.failNext({ kind: 'stall' });
    expect((await client.get(ONE, { signal, deadlineMs: 200 })).metadata.name).toBe('one');
    server.failNext({ kind: 'stall' });
    await expect(client.get(ONE, { signal, deadlineMs: 50, retryBudgetMs: 0 })).rejects.toMatchObject({ code: 'timeout', action: 'retry' });
  });

  test('the signal ends a call, and a pause between two, with its reason', async () => {
    const { server, client } = await startFakeCluster();
    for (const fault of [{ kind: 'stall' }, { kind: 'answer', statusCode: 429, headers: { 'retry-after': '20' } }] as const) {
      server.failNext(fault);
      const stop = new AbortController();
      const failure = client.get(ONE, { signal: stop.signal });
      setTimeout(() => stop.abort(new Error('stopped')), 30);
      await expect(failure).rejects.toThrow('stopped');
    }
    await expect(client.get(ONE, { signal: AbortSignal.abort(new Error('stopped before')) })).rejects.toThrow('stopped before');
  });
});

describe('answers', () => {
  test.each([
    ['a page in HTML', { statusCode: 200, body: '<html>log in</html>' }],
    ['a redirect', { statusCode: 302, body: '', headers: { location: 'https://login.example' } }],
    ['an object that is none', { statusCode: 200, body: '{"ok":true}' }],
  ])('%s is no answer of Kubernetes', async (_, answer) => {
    const { server, client } = await startFakeCluster();
    server.failNext({ kind: 'answer', ...answer });
    await expect(client.get(ONE, call)).rejects.toMatchObject({
      code: 'bad-answer',
      message: expect.stringContaining('no Kubernetes API') as string,
    });
  });

  test('what RBAC refuses names the verb and the resource, and what to grant', async () => {
    const { server, client } = await startFakeCluster();
    const message = 'nodes is forbidden: User "jane" cannot list resource "nodes" in API group "" at the cluster scope';
    const body = JSON.stringify({ kind: 'Status', code: 403, reason: 'Forbidden', message, details: { kind: 'nodes' } });
    server.failNext({ kind: 'answer', statusCode: 403, body });
    await expect(client.list({ resource: NODES }, { trim: () => 0 }, call)).rejects.toMatchObject({
      code: 'forbidden',
      message: `list nodes: the API server at ${server.url} answered 403: ${message}`,
      hint: expect.stringContaining('Grant the verb "list" on "nodes" of API group "" in the whole cluster (ClusterRole)') as string,
    });
  });

  test('a resource that the cluster does not serve is told from an object that is not there', async () => {
    const { server, client } = await startFakeCluster();
    server.failNext({ kind: 'answer', statusCode: 404, body: '404 page not found' });
    await expect(client.get(ONE, call)).rejects.toMatchObject({
      code: 'not-found',
      hint: expect.stringContaining('CustomResourceDefinition') as string,
    });
    await expect(client.get(ONE, call)).rejects.toMatchObject({
      code: 'not-found',
      hint: expect.stringContaining('deleted meanwhile') as string,
    });
  });

  test('an object is not there only when the API server says so of it: nothing is begun anew for a way that leads nowhere', async () => {
    const { server, client } = await startFakeCluster();
    server.failNext({ kind: 'answer', statusCode: 404, body: '404 page not found' });
    await expect(client.find(ONE, call)).rejects.toMatchObject({ code: 'not-found' });
    expect(await client.find(ONE, call)).toBeNull();
  });

  test('what a deletion of many answers is not kept', async () => {
    const { server, client } = await startFakeCluster();
    server.put('/configmaps', configMap('one'));
    server.failNext({ kind: 'answer', statusCode: 200, body: '['.repeat(1_000_000) });
    await client.deleteCollection(SHOP, { labelSelector: 'a=b' }, call);
    await client.deleteCollection(SHOP, { labelSelector: '!a' }, call);
    expect(await client.find(ONE, call)).toBeNull();
  });
});

test('each patch names its strategy in the content type', async () => {
  const { server, client } = await startFakeCluster();
  server.put('/configmaps', configMap('one'));
  await client.patch(ONE, { strategy: 'merge', patch: { data: { a: '1' } } }, call);
  await client.patch(ONE, { strategy: 'json', operations: [{ op: 'replace', path: '/data/a', value: '2' }] }, call);
  await client.patch(ONE, { strategy: 'apply', object: { ...configMap('one'), data: { a: '3' } }, fieldManager: 'me', force: true }, call);
  expect(server.requests.map(({ contentType }) => contentType)).toEqual([
    'application/merge-patch+json',
    'application/json-patch+json',
    'application/apply-patch+yaml',
  ]);
  expect(Object.fromEntries(server.requests[2]?.query ?? [])).toEqual({ fieldManager: 'me', force: 'true' });
  expect((await client.get(ONE, call))['data']).toEqual({ a: '3' });
});

test('a collection is not deleted without a selector, an object not replaced without a version', async () => {
  const { client } = await startFakeCluster();
  await expect(client.deleteCollection(SHOP, {}, call)).rejects.toThrow('no selector');
  expect(() => client.update(ONE, configMap('one'), call)).toThrow('no resourceVersion');
});
