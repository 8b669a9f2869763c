import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { eventually } from '../../test/fakes/eventually.ts';
import { FakeApiServer } from '../../test/fakes/fake-api-server.ts';
import { clientOf, QUICK_TIMING, startFakeCluster, type FakeCluster } from '../../test/fakes/fake-cluster.ts';
import { FakeTiming } from '../../test/fakes/fake-timing.ts';
import { KubeError } from './kube-error.ts';
import type { KubeObject } from './kube-object.ts';
import { Reflector, type ReflectorOptions } from './reflector.ts';
import { CONFIG_MAPS } from './resource.ts';

const MAPS = '/configmaps';
const map = (name: string, value = ''): KubeObject => ({ metadata: { name, namespace: 'shop' }, data: { value } });
const valueOf = (object: KubeObject): string => (object['data'] as { value: string }).value;
const isWatch = ({ query }: { query: URLSearchParams }): boolean => query.has('watch');
const isList = (request: { query: URLSearchParams }): boolean => !isWatch(request);

interface Running {
  readonly reflector: Reflector<string>;
  readonly changes: string[];
  readonly faults: unknown[];
  readonly stop: () => Promise<void>;
}

function reflect({ client }: Pick<FakeCluster, 'client'>, options: Partial<ReflectorOptions<string>> = {}): Running {
  const changes: string[] = [];
  const faults: unknown[] = [];
  const reflector = new Reflector({
    client,
    collection: { resource: CONFIG_MAPS },
    trim: valueOf,
    onChange: (key) => changes.push(key),
    onFault: (error) => faults.push(error),
    timing: { ...QUICK_TIMING, sleep: (ms, signal) => QUICK_TIMING.sleep(ms / 20, signal) },
    ...options,
  });
  const controller = new AbortController();
  const run = reflector.run(controller.signal);
  const stop = async (): Promise<void> => {
    controller.abort(new Error('stopped'));
    await run;
  };
  onTestFinished(stop);
  return { reflector, changes, faults, stop };
}

const contents = ({ reflector }: Running): Record<string, string | undefined> =>
  Object.fromEntries(reflector.store.keys().map((key) => [key, reflector.store.get(key)]));

function serverContents(server: FakeApiServer): Record<string, string> {
  return Object.fromEntries(server.history.list(MAPS).map(([key, object]) => [key, valueOf(object)]));
}

describe('the copy', () => {
  test('is what was listed, then what is watched; handlers get keys', async () => {
    const cluster = await startFakeCluster();
    cluster.server.put(MAPS, map('one', '1'));
    cluster.server.put(MAPS, map('two', '2'));
    const running = reflect(cluster, { pageSize: 1 });
    expect(running.reflector.synced).toBe(false);
    await running.reflector.whenSynced(AbortSignal.timeout(5_000));
    expect(running.reflector.synced).toBe(true);
    expect(contents(running)).toEqual({ 'shop/one': '1', 'shop/two': '2' });
    await eventually(() => cluster.server.openWatches).toBe(1);
    cluster.server.put(MAPS, map('three', '3'));
    cluster.server.put(MAPS, map('one', '1b'));
    cluster.server.history.delete(MAPS, 'shop/two');
    await eventually(() => contents(running)).toEqual({ 'shop/one': '1b', 'shop/three': '3' });
    expect(running.changes).toEqual(['shop/one', 'shop/two', 'shop/three', 'shop/one', 'shop/two']);
    expect(running.faults).toEqual([]);
    expect(cluster.server.requests.filter(isList)).toHaveLength(2);
  });

  test('is listed as of this moment, and watched from there for five to ten minutes', async () => {
    const cluster = await startFakeCluster();
    const running = reflect(cluster, { labelSelector: 'a=b' });
    await eventually(() => cluster.server.openWatches).toBe(1);
    const [list, watch] = cluster.server.requests;
    expect(list?.query.get('resourceVersion')).toBeNull();
    expect(watch?.query.get('resourceVersion')).toBe(String(cluster.server.history.version));
    expect([list, watch].map((request) => request?.query.get('labelSelector'))).toEqual(['a=b', 'a=b']);
    const seconds = Number(watch?.query.get('timeoutSeconds'));
    expect(seconds >= 300 && seconds <= 600).toBe(true);
    await running.stop();
  });

  test('goes on where a watch ended, without another list', async () => {
    const cluster = await startFakeCluster();
    const running = reflect(cluster);
    await eventually(() => cluster.server.openWatches).toBe(1);
    cluster.server.put(MAPS, map('one', '1'));
    await eventually(() => contents(running)).toEqual({ 'shop/one': '1' });
    cluster.server.history.version += 50;
    cluster.server.sendBookmarks();
    cluster.server.endWatches();
    await eventually(() => cluster.server.requests.filter(isWatch).length).toBe(2);
    expect(cluster.server.requests.at(-1)?.query.get('resourceVersion')).toBe(String(cluster.server.history.version));
    expect(cluster.server.requests.filter(isList)).toHaveLength(1);
  });

  test('lists again when history is no longer kept, tells what came, changed and went meanwhile, and nothing else', async () => {
    const cluster = await startFakeCluster();
    for (const name of ['same', 'changed', 'gone']) cluster.server.put(MAPS, map(name));
    const running = reflect(cluster);
    await eventually(() => cluster.server.openWatches).toBe(1);
    cluster.server.failNext({ kind: 'slow', ms: 100 }, isWatch);
    running.changes.length = 0;
    cluster.server.endWatches();
    await eventually(() => cluster.server.requests.filter(isWatch).length).toBe(2);
    cluster.server.put(MAPS, map('new'));
    cluster.server.put(MAPS, map('changed', 'x'));
    cluster.server.history.delete(MAPS, 'shop/gone');
    cluster.server.history.compact();
    await eventually(() => contents(running)).toEqual({ 'shop/same': '', 'shop/changed': 'x', 'shop/new': '' });
    expect(running.changes.sort()).toEqual(['shop/changed', 'shop/gone', 'shop/new']);
    expect(running.faults).toMatchObject([{ code: 'gone' }]);
  });

  test('does not go back in time: a list of which pages are missing is not taken', async () => {
    const cluster = await startFakeCluster();
    for (let at = 0; at < 5; at++) cluster.server.put(MAPS, map(`map-${at}`));
    const running = reflect(cluster, { pageSize: 2 });
    await eventually(() => cluster.server.openWatches).toBe(1);
    cluster.server.put(MAPS, map('late'));
    await eventually(() => running.reflector.store.size).toBe(6);
    cluster.server.failNext({ kind: 'stall' }, ({ query }) => query.has('continue'));
    cluster.server.history.version += 1;
    cluster.server.history.compact();
    cluster.server.endWatches();
    await eventually(() => cluster.server.requests.filter(({ query }) => query.has('continue')).length).toBe(3);
    expect(running.reflector.store.size).toBe(6);
  });

  test('is listed again when the API server itself went back, as after a restore of etcd', async () => {
    const cluster = await startFakeCluster();
    cluster.server.put(MAPS, map('one', 'after the backup'));
    const running = reflect(cluster);
    await eventually(() => cluster.server.openWatches).toBe(1);
    cluster.server.history.goBackTo(10);
    cluster.server.put(MAPS, map('one', 'of the backup'));
    await eventually(() => contents(running)).toEqual({ 'shop/one': 'of the backup' });
    expect(running.faults).toMatchObject([{ code: 'gone', message: expect.stringContaining('went back in time') as string }]);
  });
});

describe('failures', () => {
  test.each([
    ['unauthorized', { kind: 'answer', statusCode: 401 }],
    ['forbidden', { kind: 'answer', statusCode: 403 }],
    ['not found (no CRD yet)', { kind: 'answer', statusCode: 404 }],
    ['an internal error', { kind: 'answer', statusCode: 500 }],
    ['no JSON', { kind: 'answer', statusCode: 200, body: '<html>' }],
    ['a reset', { kind: 'reset' }],
  ] as const)('%s of a watch does not stop it', async (_, fault) => {
    const cluster = await startFakeCluster();
    const running = reflect(cluster);
    await eventually(() => cluster.server.openWatches).toBe(1);
    // The client itself asks again once after a 401.
    for (let i = 0; i < 3; i++) cluster.server.failNext(fault, isWatch);
    cluster.server.endWatches();
    await eventually(() => running.faults.length).toBeGreaterThan(0);
    cluster.server.put(MAPS, map('late', 'x'));
    await eventually(() => contents(running)).toEqual({ 'shop/late': 'x' });
  });

  test('of the first list do not stop it either', async () => {
    const cluster = await startFakeCluster();
    cluster.server.put(MAPS, map('one', '1'));
    for (let i = 0; i < 4; i++) cluster.server.failNext({ kind: 'answer', statusCode: 403 });
    const running = reflect(cluster);
    await eventually(() => contents(running)).toEqual({ 'shop/one': '1' });
    expect(running.faults).toHaveLength(4);
  });

  test('a server that is gone for a while is found again, with all that happened', async () => {
    const cluster = await startFakeCluster();
    const running = reflect(cluster);
    await eventually(() => cluster.server.openWatches).toBe(1);
    const port = Number(new URL(cluster.server.url).port);
    await cluster.server.stop();
    cluster.server.put(MAPS, map('meanwhile', 'x'));
    await eventually(() => running.faults.length).toBeGreaterThan(2);
    const again = await new FakeApiServer(cluster.server.history).start(port);
    onTestFinished(() => again.stop());
    await eventually(() => contents(running)).toEqual({ 'shop/meanwhile': 'x' });
    expect(again.requests.filter(isList)).toHaveLength(0);
  });

  test('a line that is cut off loses no event', async () => {
    const cluster = await startFakeCluster();
    cluster.server.failNext({ kind: 'cut-line', reset: true }, isWatch);
    const running = reflect(cluster);
    await eventually(() => cluster.server.openWatches).toBe(1);
    cluster.server.put(MAPS, map('one', '1'));
    cluster.server.put(MAPS, map('two', '2'));
    await eventually(() => contents(running)).toEqual({ 'shop/one': '1', 'shop/two': '2' });
    expect(running.changes).toEqual(['shop/one', 'shop/two']);
  });

  test('a watch that is silent for too long is made anew', async () => {
    const cluster = await startFakeCluster();
    const running = reflect(cluster, { inactivityMs: 150 });
    await eventually(() => cluster.server.requests.filter(isWatch).length).toBeGreaterThan(2);
    // An API server that has just been started is silent, too.
    expect(running.faults).toEqual([]);
    expect(cluster.server.requests.filter(isList)).toHaveLength(1);
  });

  test('handlers and trims that throw do not end it', async () => {
    const cluster = await startFakeCluster();
    const seen: string[] = [];
    let isBroken = true;
    const running = reflect(cluster, {
      onChange: (key) => {
        seen.push(key);
        throw new Error('a handler');
      },
      trim: (object) => {
        if (isBroken && object.metadata.name === 'two') throw new Error('a trim');
        return valueOf(object);
      },
      onFault: () => {
        throw new Error('a log');
      },
    });
    await eventually(() => cluster.server.openWatches).toBe(1);
    cluster.server.put(MAPS, map('one', '1'));
    cluster.server.put(MAPS, map('two', '2'));
    await eventually(() => cluster.server.requests.filter(isList).length).toBeGreaterThan(1);
    isBroken = false;
    await eventually(() => contents(running)).toEqual({ 'shop/one': '1', 'shop/two': '2' });
    expect(seen).toContain('shop/two');
  });

  test('the pauses grow, are jittered, and honour Retry-After', async () => {
    const timing = new FakeTiming();
    const asked: number[] = [];
    const busy: { retryAfterMs?: number } = {};
    const client = {
      server: 'https://k8s',
      list: () => {
        asked.push(timing.now());
        return Promise.reject(new KubeError({ code: 'throttled', message: 'busy', ...busy }));
      },
      watch: () => {
        throw new Error('not reached');
      },
    };
    const reflector = new Reflector({
      client,
      collection: { resource: CONFIG_MAPS },
      trim: valueOf,
      onChange: () => undefined,
      onFault: () => undefined,
      timing,
    });
    const stop = new AbortController();
    const run = reflector.run(stop.signal);
    await timing.advance(10_000);
    const pauses = asked.slice(1).map((at, index) => at - (asked[index] ?? 0));
    expect(pauses).toEqual([375, 750, 1_500, 3_000]);
    await timing.advance(200_000);
    expect((asked.at(-1) ?? 0) - (asked.at(-2) ?? 0)).toBe(22_500);
    busy.retryAfterMs = 100_000;
    asked.length = 0;
    await timing.advance(250_000);
    expect((asked.at(-1) ?? 0) - (asked.at(-2) ?? 0)).toBe(100_000);
    stop.abort();
    await run;
  });
});

describe('staleness', () => {
  test('counts the seconds since anything came; a bookmark is enough', async () => {
    const timing = new FakeTiming();
    const cluster = await startFakeCluster();
    const running = reflect(cluster, { timing });
    await eventually(() => cluster.server.openWatches).toBe(1);
    await eventually(() => running.reflector.synced).toBe(true);
    timing.jump(90_000);
    expect(running.reflector.secondsSinceLastEvent).toBe(90);
    cluster.server.sendBookmarks();
    await eventually(() => running.reflector.secondsSinceLastEvent).toBe(0);
  });

  test('a watch that waits asks nothing', async () => {
    const cluster = await startFakeCluster();
    reflect(cluster);
    await eventually(() => cluster.server.openWatches).toBe(1);
    const { length } = cluster.server.requests;
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(cluster.server.requests).toHaveLength(length);
  });
});

describe('the signal', () => {
  test('during the first list ends it without leaving a request, a watch or a copy', async () => {
    const cluster = await startFakeCluster();
    for (let at = 0; at < 5; at++) cluster.server.put(MAPS, map(`map-${at}`));
    cluster.server.failNext({ kind: 'slow', ms: 100 }, ({ query }) => query.has('continue'));
    const running = reflect(cluster, { pageSize: 2 });
    await eventually(() => cluster.server.requests.length).toBe(2);
    await running.stop();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(cluster.server.requests).toHaveLength(2);
    expect(cluster.server.openRequests).toBe(0);
    expect(running.reflector.store.size).toBe(0);
    expect(running.faults).toEqual([]);
  });

  test.each(['while it watches', 'during a pause'])('%s ends it', async (when) => {
    const cluster = await startFakeCluster();
    const running = reflect(cluster);
    await eventually(() => cluster.server.openWatches).toBe(1);
    if (when === 'during a pause') {
      cluster.server.failNext({ kind: 'answer', statusCode: 429, headers: { 'retry-after': '100' } }, isWatch);
      cluster.server.endWatches();
      await eventually(() => running.faults.length).toBe(1);
    }
    await running.stop();
    await eventually(() => cluster.server.openRequests).toBe(0);
  });
});

test('whatever happens to the connection, the copy becomes what the server has', async () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('put' as const), name: fc.integer({ min: 0, max: 9 }), value: fc.nat(99) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('delete' as const), name: fc.integer({ min: 0, max: 9 }) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constantFrom('cut' as const, 'end' as const, 'compact' as const, 'bookmark' as const, 'wait' as const),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('fail' as const), statusCode: fc.constantFrom(410, 429, 500, 503) }) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const server = await new FakeApiServer().start();
      const client = clientOf(server.url);
      const running = reflect(
        { client },
        { pageSize: 3, timing: { ...QUICK_TIMING, sleep: (ms, signal) => QUICK_TIMING.sleep(ms / 500, signal) } },
      );
      for (const each of steps) {
        if (each.kind === 'put') server.put(MAPS, map(`map-${each.name}`, String(each.value)));
        if (each.kind === 'delete') server.history.delete(MAPS, `shop/map-${each.name}`);
        if (each.kind === 'cut') server.cutConnections();
        if (each.kind === 'end') server.endWatches();
        if (each.kind === 'compact') server.history.compact();
        if (each.kind === 'bookmark') server.sendBookmarks();
        if (each.kind === 'fail') server.failNext({ kind: 'answer', statusCode: each.statusCode });
        if (each.kind === 'wait') await new Promise((resolve) => setTimeout(resolve, 5));
      }
      await eventually(() => contents(running)).toEqual(serverContents(server));
      await running.stop();
      await client.close();
      await server.stop();
    }),
    { numRuns: 30 },
  );
}, 60_000);
