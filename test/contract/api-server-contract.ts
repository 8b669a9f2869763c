import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTokenReview } from '../../src/kube/create-token-review.ts';
import type { KubeClient } from '../../src/kube/kube-client.ts';
import { keyOf, type KubeObject } from '../../src/kube/kube-object.ts';
import { Reflector } from '../../src/kube/reflector.ts';
import { CONFIG_MAPS, DISCOVERY_PATH, KEYS_PATH, type ObjectReference, PODS } from '../../src/kube/resource.ts';
import type { WatchEvent } from '../../src/kube/watch-events.ts';
import { SYSTEM_TIMING } from '../../src/platform/timing.ts';
import { eventually } from '../fakes/eventually.ts';

export interface ServedApi {
  readonly client: KubeClient;
  /** The same API server, with a bearer token that it does not accept. */
  readonly stranger: KubeClient;
  /** Exists, and is for the contract alone. A pod can be made in it. */
  readonly namespace: string;
  readonly close: () => Promise<void>;
}

const call = { signal: new AbortController().signal };

/** What the Kubernetes client counts on, of the real API server and of the double that its own tests use. */
export function apiServerContract(serve: () => Promise<ServedApi>): void {
  let served: ServedApi;
  let client: KubeClient;
  let all: { readonly resource: typeof CONFIG_MAPS; readonly namespace: string };
  const at = (name: string): ObjectReference => ({ ...all, name });
  const map = (name: string, data: Record<string, string> = {}, labels?: Record<string, string>): KubeObject => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: all.namespace, ...(labels === undefined ? {} : { labels }) },
    data,
  });
  const create = (name: string, data?: Record<string, string>, labels?: Record<string, string>): Promise<KubeObject> =>
    client.create(all, map(name, data, labels), call);

  beforeAll(async () => {
    served = await serve();
    ({ client } = served);
    all = { resource: CONFIG_MAPS, namespace: served.namespace };
  });
  afterAll(() => served.close());

  describe('objects', () => {
    test('are created once, and read as they were created', async () => {
      const created = await create('created', { a: '1' });
      expect(created).toMatchObject({ metadata: { name: 'created', uid: expect.any(String) as string }, data: { a: '1' } });
      expect(await client.get(at('created'), call)).toEqual(created);
      await expect(create('created')).rejects.toMatchObject({ code: 'already-exists' });
    });

    test('that are absent are not found, and told by name', async () => {
      await expect(client.get(at('absent'), call)).rejects.toMatchObject({ code: 'not-found', status: { details: { name: 'absent' } } });
      expect(await client.find(at('absent'), call)).toBeNull();
      expect(await client.delete(at('absent'), {}, call)).toBe('absent');
      await expect(client.patch(at('absent'), { strategy: 'merge', patch: {} }, call)).rejects.toMatchObject({ code: 'not-found' });
    });

    test('are replaced at the version that was read, and at no older one', async () => {
      const first = await create('replaced', { a: '1' });
      const second = await client.update(at('replaced'), { ...first, data: { b: '2' } }, call);
      expect(second['data']).toEqual({ b: '2' });
      await expect(client.update(at('replaced'), { ...first, data: { c: '3' } }, call)).rejects.toMatchObject({ code: 'conflict' });
      expect((await client.get(at('replaced'), call))['data']).toEqual({ b: '2' });
    });

    test('are deleted if the preconditions hold', async () => {
      const { uid = '' } = (await create('deleted')).metadata;
      const other = { preconditions: { uid: '00000000-0000-0000-0000-000000000000' } };
      await expect(client.delete(at('deleted'), other, call)).rejects.toMatchObject({ code: 'conflict' });
      expect(await client.delete(at('deleted'), { preconditions: { uid }, propagationPolicy: 'Background' }, call)).toBe('accepted');
      expect(await client.find(at('deleted'), call)).toBeNull();
    });
  });

  describe('patches', () => {
    test('merge: null removes, and an older version conflicts', async () => {
      const { metadata } = await create('merged', { a: '1', b: '2' });
      const patch = { metadata: { resourceVersion: metadata.resourceVersion }, data: { a: null, c: '3' } };
      expect((await client.patch(at('merged'), { strategy: 'merge', patch }, call))['data']).toEqual({ b: '2', c: '3' });
      await expect(client.patch(at('merged'), { strategy: 'merge', patch }, call)).rejects.toMatchObject({ code: 'conflict' });
    });

    test('json: in order, all or nothing', async () => {
      await create('operated', { a: '1' });
      const add = { op: 'add', path: '/data/b', value: '2' };
      const remove = { op: 'remove', path: '/data/a' };
      const patched = await client.patch(at('operated'), { strategy: 'json', operations: [add, remove] }, call);
      expect(patched['data']).toEqual({ b: '2' });
      const operations = [
        { op: 'add', path: '/data/c', value: '3' },
        { op: 'test', path: '/data/b', value: 'other' },
      ];
      await expect(client.patch(at('operated'), { strategy: 'json', operations }, call)).rejects.toMatchObject({ code: 'invalid' });
      expect((await client.get(at('operated'), call))['data']).toEqual({ b: '2' });
    });

    test('apply: creates, conflicts on a field of another manager and names it, unless forced', async () => {
      const apply = (fieldManager: string, data: Record<string, string>, force = false): Promise<KubeObject> =>
        client.patch(at('applied'), { strategy: 'apply', object: { ...map('applied'), data }, fieldManager, force }, call);
      expect((await apply('one', { a: '1', b: '1' }))['data']).toEqual({ a: '1', b: '1' });
      expect((await apply('two', { c: '2' }))['data']).toEqual({ a: '1', b: '1', c: '2' });
      await expect(apply('two', { b: '2' })).rejects.toMatchObject({
        code: 'conflict',
        hint: expect.stringMatching(/^Another manager owns the field: \.data\.b \(conflict with "one"/) as string,
        status: { details: { causes: [{ reason: 'FieldManagerConflict', field: '.data.b' }] } },
      });
      expect((await apply('two', { b: '2' }, true))['data']).toMatchObject({ a: '1', b: '2' });
    });

    test('apply: of one version of an object, and of no other', async () => {
      const apply = (data: Record<string, string>, resourceVersion?: string): Promise<KubeObject> => {
        const object = { ...map('applied-once'), data };
        const metadata = { ...object.metadata, ...(resourceVersion === undefined ? {} : { resourceVersion }) };
        return client.patch(
          at('applied-once'),
          { strategy: 'apply', object: { ...object, metadata }, fieldManager: 'one', force: true },
          call,
        );
      };
      const first = await apply({ a: '1' });
      const second = await apply({ a: '2' }, first.metadata.resourceVersion);
      expect(second['data']).toEqual({ a: '2' });
      await expect(apply({ a: '3' }, first.metadata.resourceVersion)).rejects.toMatchObject({ code: 'conflict' });
      expect((await apply({ a: '4' }, second.metadata.resourceVersion))['data']).toEqual({ a: '4' });
    });

    test('status: is written apart from the rest', async () => {
      const reference = { resource: PODS, namespace: served.namespace, name: 'with-status' };
      const spec = { containers: [{ name: 'a', image: 'example.com/a' }] };
      const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'with-status', labels: { a: '1' } }, spec };
      await client.create({ resource: PODS, namespace: served.namespace }, pod, call);
      const patch = { spec: { activeDeadlineSeconds: 5 }, status: { reason: 'Tested' } };
      const patched = await client.patchStatus(reference, { strategy: 'merge', patch }, call);
      expect(patched).toMatchObject({ metadata: { labels: { a: '1' } }, status: { reason: 'Tested' } });
      expect(patched['spec']).not.toHaveProperty('activeDeadlineSeconds');
      const other = { metadata: { labels: { a: '2' } }, status: { reason: 'Other' } };
      expect(await client.patch(reference, { strategy: 'merge', patch: other }, call)).toMatchObject({
        metadata: { labels: { a: '2' } },
        status: { reason: 'Tested' },
      });
      await expect(client.updateStatus(reference, patched, call)).rejects.toMatchObject({ code: 'conflict' });
      expect(await client.delete(reference, { gracePeriodSeconds: 0 }, call)).toBe('accepted');
    });
  });

  describe('lists', () => {
    const paged = { labelSelector: 'for=pages' };
    beforeAll(async () => {
      for (let i = 0; i < 7; i++) await create(`paged-${i}`, {}, { for: 'pages', odd: String(i % 2) });
    });

    test('come in pages that together are the whole', async () => {
      const { items } = await client.list(all, { trim: keyOf, pageSize: 3, ...paged }, call);
      expect(items).toEqual([0, 1, 2, 3, 4, 5, 6].map((i) => `${all.namespace}/paged-${i}`));
    });

    test('go by labels and fields', async () => {
      const names = async (options: { labelSelector?: string; fieldSelector?: string }): Promise<string[]> =>
        (await client.list(all, { trim: ({ metadata }) => metadata.name, ...options }, call)).items;
      expect(await names({ labelSelector: 'for=pages,odd=1' })).toEqual(['paged-1', 'paged-3', 'paged-5']);
      expect(await names({ fieldSelector: 'metadata.name=paged-2' })).toEqual(['paged-2']);
      expect(await names({ labelSelector: 'for=nothing' })).toEqual([]);
    });

    test('may be of a version not older than one that was seen', async () => {
      const { metadata } = await create('fresh');
      const at = { resourceVersion: metadata.resourceVersion ?? '', match: 'NotOlderThan' } as const;
      const { items } = await client.list(all, { trim: (object) => object.metadata.name, at }, call);
      expect(items).toContain('fresh');
    });

    test('of what selectors choose is deleted together', async () => {
      await create('bulk-1', {}, { for: 'bulk' });
      await create('bulk-2', {}, { for: 'bulk' });
      await client.deleteCollection(all, { labelSelector: 'for=bulk', propagationPolicy: 'Background' }, call);
      expect((await client.list(all, { trim: keyOf, labelSelector: 'for=bulk' }, call)).items).toEqual([]);
      expect((await client.list(all, { trim: keyOf, ...paged }, call)).items).toHaveLength(7);
    });
  });

  describe('watches', () => {
    const options = { labelSelector: 'for=watch', timeoutSeconds: 2, inactivityMs: 30_000 };
    const version = async (): Promise<string> => (await client.list(all, { trim: keyOf }, call)).resourceVersion;

    test('tell all that happened since a list, in order, as selectors see it, and end in time', async () => {
      const resourceVersion = await version();
      await create('watched', {}, { for: 'watch' });
      await create('unwatched', {}, { for: 'other' });
      await client.patch(at('watched'), { strategy: 'merge', patch: { data: { a: '1' } } }, call);
      await client.patch(at('unwatched'), { strategy: 'merge', patch: { metadata: { labels: { for: 'watch' } } } }, call);
      await client.patch(at('watched'), { strategy: 'merge', patch: { metadata: { labels: { for: 'other' } } } }, call);
      await client.delete(at('unwatched'), {}, call);
      const events: WatchEvent[] = [];
      for await (const event of client.watch(all, { ...options, resourceVersion }, call.signal)) events.push(event);
      const told = events.map((event) => ('object' in event ? `${event.type} ${event.object.metadata.name}` : event.type));
      expect(told.slice(0, 6)).toEqual([
        'opened',
        'added watched',
        'modified watched',
        'added unwatched',
        'deleted watched',
        'deleted unwatched',
      ]);
      expect(told.slice(6).filter((type) => type !== 'bookmark')).toEqual([]);
      const versions = events.flatMap((event) => ('object' in event ? [BigInt(event.object.metadata.resourceVersion ?? 0)] : []));
      expect(versions).toEqual([...versions].sort((a, b) => (a < b ? -1 : 1)));
    });

    test('end with the signal', async () => {
      const stop = new AbortController();
      const watch = client.watch(all, { ...options, timeoutSeconds: 60, resourceVersion: await version() }, stop.signal);
      expect((await watch.next()).value).toEqual({ type: 'opened' });
      stop.abort(new Error('enough'));
      await expect(watch.next()).rejects.toThrow('enough');
    });

    test('are what a reflector keeps its copy by', async () => {
      const stop = new AbortController();
      const changes: string[] = [];
      const reflector = new Reflector({
        client,
        collection: all,
        labelSelector: 'for=copy',
        trim: (object) => object['data'],
        onChange: (key) => changes.push(key),
        onFault: (error) => changes.push(String(error)),
        timing: SYSTEM_TIMING,
      });
      await create('copied', { a: '1' }, { for: 'copy' });
      const run = reflector.run(stop.signal);
      await reflector.whenSynced(call.signal);
      const key = `${all.namespace}/copied`;
      expect(reflector.store.get(key)).toEqual({ a: '1' });
      await client.patch(at('copied'), { strategy: 'merge', patch: { data: { a: '2' } } }, call);
      await eventually(() => reflector.store.get(key)).toEqual({ a: '2' });
      await client.delete(at('copied'), {}, call);
      await eventually(() => reflector.store.size).toBe(0);
      expect(changes).toEqual([key, key, key]);
      stop.abort();
      await run;
    });
  });

  test('a token that is nobody’s is rejected by a review, and unauthorized as one’s own', async () => {
    const review = await createTokenReview(client, { token: 'nobodys', audiences: ['here'] }, call);
    expect(review).toMatchObject({ outcome: 'rejected' });
    await expect(served.stranger.get(at('x'), call)).rejects.toMatchObject({ code: 'unauthorized', status: { code: 401 } });
  });

  test('who issues tokens and with what keys is read by its path', async () => {
    expect(await client.getPath(DISCOVERY_PATH, call)).toMatchObject({ issuer: expect.stringContaining('https://') as string });
    const { keys } = (await client.getPath(KEYS_PATH, call)) as { keys: { kid: string }[] };
    expect(keys[0]?.kid).toMatch(/./);
    await expect(client.getPath('/openid/v1/nothing', call)).rejects.toMatchObject({ code: 'not-found' });
  });

  test('an aborted signal ends calls with its reason', async () => {
    const signal = AbortSignal.abort(new Error('stopped'));
    await expect(client.get(at('x'), { signal })).rejects.toThrow('stopped');
    await expect(client.list(all, { trim: keyOf }, { signal })).rejects.toThrow('stopped');
  });
}
