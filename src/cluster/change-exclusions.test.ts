import { describe, expect, test } from 'vitest';
import { startFakeCluster, type FakeCluster } from '../../test/fakes/fake-cluster.ts';
import { CONFIG_MAPS } from '../kube/resource.ts';
import { addExclusions, removeExclusions } from './change-exclusions.ts';
import type { ClusterSite } from './cluster-site.ts';
import { OWN_EXCLUSIONS } from './exclusion-names.ts';
import { readExclusions } from './read-exclusions.ts';

const NAMESPACE = 'eraser-system';
const call = { signal: new AbortController().signal };

async function startSite(): Promise<FakeCluster & { readonly site: ClusterSite }> {
  const cluster = await startFakeCluster();
  return { ...cluster, site: { client: cluster.client, namespace: NAMESPACE, call } };
}

function put({ server }: FakeCluster, name: string, data: object, labels: object = { 'eraser.sh/exclude.list': 'true' }): void {
  server.put('/configmaps', { metadata: { name, namespace: NAMESPACE, labels }, data });
}

async function patternsOf({ client }: FakeCluster, name: string): Promise<unknown> {
  const map = await client.get({ resource: CONFIG_MAPS, namespace: NAMESPACE, name }, call);
  return JSON.parse((map['data'] as Record<string, string>)['excluded.json'] ?? '');
}

const add = (site: ClusterSite, ...patterns: string[]): ReturnType<typeof addExclusions> =>
  addExclusions(site, { patterns, configMap: OWN_EXCLUSIONS });
const remove = (site: ClusterSite, ...patterns: string[]): ReturnType<typeof removeExclusions> =>
  removeExclusions(site, { patterns, configMap: OWN_EXCLUSIONS });

describe('exclude add', () => {
  test('makes the configmap, labelled, and adds to it what is new', async () => {
    const cluster = await startSite();
    expect(await add(cluster.site, 'nginx')).toEqual({ configMap: OWN_EXCLUSIONS, added: ['nginx'], present: [] });
    expect(await add(cluster.site, 'nginx', 'ghcr.io/acme/*')).toMatchObject({ added: ['ghcr.io/acme/*'], present: ['nginx'] });
    expect(await patternsOf(cluster, OWN_EXCLUSIONS)).toEqual({ excluded: ['nginx', 'ghcr.io/acme/*'] });
    expect((await readExclusions(cluster.site)).entries).toMatchObject([
      { pattern: 'nginx', configMap: OWN_EXCLUSIONS, notInForce: null },
      { pattern: 'ghcr.io/acme/*', notInForce: null },
    ]);
  });

  test.each(['ghcr.io', 'nginx:<<1', '', ' '])('refuses %j as the manager would, and changes nothing', async (pattern) => {
    const cluster = await startSite();
    await expect(add(cluster.site, 'nginx', pattern)).rejects.toMatchObject({ code: 'bad-value' });
    expect(cluster.server.requests).toEqual([]);
  });

  test.each([
    ['eraser-system-exclusion', 'refused'],
    ['theirs', 'refused'],
  ])('leaves the configmap %s of others as it is', async (configMap, code) => {
    const cluster = await startSite();
    put(cluster, configMap, { 'excluded.json': '{"excluded":["redis"]}' });
    await expect(addExclusions(cluster.site, { patterns: ['nginx'], configMap })).rejects.toMatchObject({ code });
    expect(await patternsOf(cluster, configMap)).toEqual({ excluded: ['redis'] });
  });

  test('what another adds at the same time stays', async () => {
    const cluster = await startSite();
    await add(cluster.site, 'first');
    await Promise.all(['a', 'b', 'c'].map((pattern) => add(cluster.site, pattern)));
    const { excluded } = (await patternsOf(cluster, OWN_EXCLUSIONS)) as { excluded: string[] };
    expect(excluded.toSorted()).toEqual(['a', 'b', 'c', 'first']);
  });
});

describe('exclude remove', () => {
  test('removes what was added, and says where a pattern goes on to hold', async () => {
    const cluster = await startSite();
    put(cluster, 'theirs', { 'theirs.json': '{"excluded":["redis","nginx"]}' });
    await add(cluster.site, 'nginx', 'postgres');
    const removed = await remove(cluster.site, 'nginx', 'redis', 'nothing');
    expect(removed).toMatchObject([
      { pattern: 'nginx', isRemoved: true, elsewhere: [{ configMap: 'theirs', key: 'theirs.json' }] },
      { pattern: 'redis', isRemoved: false, elsewhere: [{ configMap: 'theirs' }] },
      { pattern: 'nothing', isRemoved: false, elsewhere: [] },
    ]);
    expect(await patternsOf(cluster, OWN_EXCLUSIONS)).toEqual({ excluded: ['postgres'] });
  });
});

describe('exclude list', () => {
  test('tells what does not hold, and why', async () => {
    const cluster = await startSite();
    put(cluster, 'broken', { 'a.json': '{"excluded":["ghcr.io"]}' });
    put(cluster, 'mislabelled', { 'a.json': '{"excluded":["one"]}' }, { 'eraser.sh/exclude.list': 'yes' });
    put(cluster, 'eraser-system-exclusion', { 'a.json': '{"excluded":["two"]}', notes: '{"excluded":["three"]}' }, {});
    const { entries, faults, lists } = await readExclusions(cluster.site);
    expect(entries.map(({ pattern, notInForce }) => [pattern, notInForce])).toEqual([
      ['ghcr.io', 'its configmap cannot be read'],
      ['two', null],
      ['three', 'its key does not end in .json'],
      ['one', 'its label eraser.sh/exclude.list is "yes", not "true"'],
    ]);
    expect(faults).toMatchObject([{ configMap: 'broken' }]);
    expect(lists).toEqual([{ name: 'eraser-system-exclusion/a.json', entries: ['two'] }]);
  });
});
