import { createServer, connect, type Socket, type AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { eventually } from '../../test/fakes/eventually.ts';
import { clientOf, type FakeCluster, startFakeCluster } from '../../test/fakes/fake-cluster.ts';
import { CONFIG_MAPS } from './resource.ts';
import type { WatchEvent, WatchOptions } from './watch-events.ts';

const ALL = { resource: CONFIG_MAPS };
const { signal } = new AbortController();

const configMap = (name: string): { metadata: { name: string; namespace: string } } => ({ metadata: { name, namespace: 'shop' } });

function watch({ client, server }: FakeCluster, options: Partial<WatchOptions> = {}, stop = signal): AsyncGenerator<WatchEvent, void> {
  const resourceVersion = String(server.history.version);
  return client.watch(ALL, { resourceVersion, timeoutSeconds: 300, inactivityMs: 5_000, ...options }, stop);
}

async function readAll(events: AsyncIterable<WatchEvent>, into: WatchEvent[] = []): Promise<WatchEvent[]> {
  for await (const event of events) into.push(event);
  return into;
}

describe('watch', () => {
  test('gives what happens, in order, and ends when the API server ends it', async () => {
    const cluster = await startFakeCluster();
    const read = readAll(watch(cluster));
    await eventually(() => cluster.server.openWatches).toBe(1);
    cluster.server.put('/configmaps', configMap('one'));
    cluster.server.put('/configmaps', { ...configMap('one'), data: { a: 'ä'.repeat(100_000) } });
    cluster.server.history.delete('/configmaps', 'shop/one');
    cluster.server.sendBookmarks();
    cluster.server.endWatches();
    const events = await read;
    expect(events.map(({ type }) => type)).toEqual(['opened', 'added', 'modified', 'deleted', 'bookmark']);
    expect(events[4]).toEqual({ type: 'bookmark', resourceVersion: String(cluster.server.history.version) });
  });

  test('asks for bookmarks, for its time and its selectors', async () => {
    const cluster = await startFakeCluster();
    const read = readAll(watch(cluster, { resourceVersion: '77', timeoutSeconds: 412.4, labelSelector: 'a=b' }));
    await eventually(() => cluster.server.openWatches).toBe(1);
    cluster.server.endWatches();
    await read;
    expect(Object.fromEntries(cluster.server.requests[0]?.query ?? [])).toEqual({
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion: '77',
      timeoutSeconds: '412',
      labelSelector: 'a=b',
    });
  });

  test('times are the texts that they are in a list, not dates', async () => {
    const cluster = await startFakeCluster();
    const created = { metadata: { ...configMap('one').metadata, creationTimestamp: '2026-01-02T03:04:05Z' } };
    const read = readAll(watch(cluster));
    await eventually(() => cluster.server.openWatches).toBe(1);
    cluster.server.put('/configmaps', created);
    cluster.server.endWatches();
    const [, event] = await read;
    const listed = await cluster.client.list(ALL, { trim: (object) => object }, { signal });
    expect(event).toEqual({ type: 'added', object: listed.items[0] });
    expect(listed.items[0]?.metadata['creationTimestamp']).toBe('2026-01-02T03:04:05Z');
  });

  test('a history that is no longer kept is gone', async () => {
    const cluster = await startFakeCluster();
    cluster.server.put('/configmaps', configMap('one'));
    cluster.server.history.compact();
    await expect(readAll(watch(cluster, { resourceVersion: '100' }))).rejects.toMatchObject({ code: 'gone' });
  });

  test.each([
    ['an end', false],
    ['a reset', true],
  ])('%s within a line is a broken connection, not an event', async (_, reset) => {
    const cluster = await startFakeCluster();
    cluster.server.failNext({ kind: 'cut-line', reset });
    const events: WatchEvent[] = [];
    const read = readAll(watch(cluster), events);
    await eventually(() => cluster.server.openWatches).toBe(1);
    cluster.server.put('/configmaps', configMap('one'));
    cluster.server.put('/configmaps', configMap('two'));
    await expect(read).rejects.toMatchObject({ code: 'unreachable' });
    expect(events.map(({ type }) => type)).toEqual(['opened', 'added']);
  });

  test('one on which nothing comes is dead after its inactivity limit', async () => {
    const cluster = await startFakeCluster();
    await expect(readAll(watch(cluster, { inactivityMs: 300 }))).rejects.toMatchObject({ code: 'timeout' });
    await eventually(() => cluster.server.openRequests).toBe(0);
  });

  test('an event that is none is told', async () => {
    const cluster = await startFakeCluster();
    cluster.server.failNext({ kind: 'answer', statusCode: 200, body: '{"type":"ADDED","object":{"kind":"Odd"}}\n' });
    await expect(readAll(watch(cluster))).rejects.toMatchObject({ code: 'bad-answer' });
  });

  test('is not repeated by itself: who watches knows from where to go on', async () => {
    const cluster = await startFakeCluster();
    cluster.server.failNext({ kind: 'answer', statusCode: 503, headers: { 'retry-after': '9' } });
    await expect(readAll(watch(cluster))).rejects.toMatchObject({ code: 'server-error', retryAfterMs: 9_000 });
    expect(cluster.server.requests).toHaveLength(1);
  });

  test('the signal ends it with its reason and closes the connection, at any moment', async () => {
    const cluster = await startFakeCluster();
    await expect(readAll(watch(cluster, {}, AbortSignal.abort(new Error('before'))))).rejects.toThrow('before');
    expect(cluster.server.requests).toHaveLength(0);

    cluster.server.failNext({ kind: 'stall' });
    const opening = new AbortController();
    const opened = readAll(watch(cluster, {}, opening.signal));
    await eventually(() => cluster.server.openRequests).toBe(1);
    opening.abort(new Error('while it opens'));
    await expect(opened).rejects.toThrow('while it opens');

    const waiting = new AbortController();
    const waited = readAll(watch(cluster, {}, waiting.signal));
    await eventually(() => cluster.server.openWatches).toBe(1);
    waiting.abort(new Error('while it waits'));
    await expect(waited).rejects.toThrow('while it waits');
    await eventually(() => cluster.server.openRequests).toBe(0);
  });

  test('leaving the loop closes the connection', async () => {
    const cluster = await startFakeCluster();
    for await (const event of watch(cluster)) {
      expect(event.type).toBe('opened');
      break;
    }
    await eventually(() => cluster.server.openRequests).toBe(0);
  });
});

test('a network that swallows everything is noticed, and the next watch goes over a new connection', async () => {
  const cluster = await startFakeCluster();
  const hole = await startBlackHole(Number(new URL(cluster.server.url).port));
  const client = clientOf(hole.url);
  onTestFinished(() => client.close());
  const through = { ...cluster, client };
  const events: WatchEvent[] = [];
  const noticed = expect(readAll(watch(through, { inactivityMs: 2_000 }), events)).rejects.toMatchObject({ code: 'timeout' });
  // The client has its answer: one that is swallowed while the watch is opened is given up later, after the deadline of a request.
  await eventually(() => events).toEqual([{ type: 'opened' }]);
  hole.swallow();
  cluster.server.put('/configmaps', configMap('one'));
  await noticed;
  const next = watch(through, { resourceVersion: '100' });
  expect((await next.next()).value).toEqual({ type: 'opened' });
  expect((await next.next()).value).toMatchObject({ type: 'added' });
  await next.return();
});

/** A way to a port that, when told to, keeps its connections open and lets nothing through any more; new ones work. */
async function startBlackHole(port: number): Promise<{ readonly url: string; readonly swallow: () => void }> {
  const pairs = new Set<readonly [Socket, Socket]>();
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    for (const socket of [near, far]) socket.on('error', () => undefined);
    near.pipe(far).pipe(near);
    pairs.add([near, far]);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of [...pairs].flat()) socket.destroy();
    server.close();
  });
  const swallow = (): void => {
    for (const [near, far] of pairs) {
      near.unpipe(far);
      far.unpipe(near);
    }
  };
  return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, swallow };
}
