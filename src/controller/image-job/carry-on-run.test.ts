import { describe, expect, test } from 'vitest';
import { acceptedConfiguration, acceptInTest } from '../../../test/fakes/cluster.ts';
import { logInTest } from '../../../test/fakes/log-in-test.ts';
import { nodeObject } from '../../../test/fakes/manager-in-fake-cluster.ts';
import type { ClusterApi } from '../ports.ts';
import type { RawObject } from '../raw-object.ts';
import { carryOnRun, type RunSettings } from './carry-on-run.ts';
import { makeFrozenConfigMaps } from './frozen-config-maps.ts';
import { makeAutomaticJob, readImageJob } from './image-job-object.ts';
import { loadRun } from './load-run.ts';
import { divideNodes } from './node-records.ts';
import { NodeView } from './node-view.ts';
import { readPodFacts, type PodFacts } from './pod-facts.ts';
import type { Run } from './run.ts';
import { WorkerPods } from './worker-pods.ts';

const { signal } = new AbortController();
const MINUTE = 60_000;
const SETTINGS: RunSettings = {
  maxParallel: { kind: 'count', count: 2 },
  timeouts: { startMs: 5 * MINUTE, runMs: 60 * MINUTE },
  nodeGraceMs: 5 * MINUTE,
  frame: {
    namespace: 'eraser-system',
    priorityClassName: null,
    seLinuxType: null,
    pullSecrets: [],
    coordinator: { url: 'https://coordinator:8443', audience: 'coordinator', caConfigMap: 'coordinator-ca' },
    scannerTemporaryBytes: 1024,
  },
};

function load(names: readonly string[], manager: object = {}, records: ReadonlyMap<string, RawObject> = new Map()): Run {
  const participating = names.map((name) => ({ name, runtime: 'containerd' as const, isUnderDiskPressure: false }));
  const raw = makeAutomaticJob('job') as RawObject;
  const metadata = { ...raw.metadata, uid: 'job-uid', resourceVersion: '1', generation: 1, creationTimestamp: '2026-01-01T00:00:00Z' };
  const { text } = acceptedConfiguration(manager);
  const content = { configuration: text, exclusions: [], images: null, protections: [], nodes: divideNodes(participating, []) };
  const run = loadRun(
    { acceptConfiguration: acceptInTest, sha256: (hashed) => hashed.slice(-10) },
    { job: readImageJob({ ...raw, metadata }), kind: 'automatic', now: 0 },
    makeFrozenConfigMaps({ name: 'job', uid: 'job-uid' }, 'eraser-system', content).map((map) => records.get(map.metadata.name) ?? map),
  );
  if (typeof run === 'string') throw new Error(run);
  return run;
}

/** A run over these nodes, and what it asks of the API server, in order. */
function start(names: readonly string[], manager: object = {}) {
  const first = load(names, manager);
  let run = first;
  const stored = new Map<string, RawObject>();
  const nodes = new Map<string, RawObject>(names.map((name) => [name, nodeObject(name)]));
  const copied: PodFacts[] = [];
  const asked: string[] = [];
  /** What the API server does not do. */
  const broken = new Set<'create' | 'create on b' | 'list'>();
  let now = 0;
  const api: Pick<ClusterApi, 'find' | 'list' | 'create' | 'apply' | 'delete'> = {
    find: (_kind, name) => (broken.has('list') ? Promise.reject(new Error('forbidden')) : Promise.resolve(nodes.get(name) ?? null)),
    list: (_kind, { trim }) =>
      broken.has('list') ? Promise.reject(new Error('forbidden')) : Promise.resolve([...nodes.values()].map(trim)),
    create: (_kind, object) => {
      const { metadata } = object as RawObject;
      if (broken.has('create') || (broken.has('create on b') && metadata.name === podOf(run, 'b')))
        return Promise.reject(new Error('the webhook is down'));
      const pod = { ...(object as RawObject), metadata: { ...metadata, uid: `uid-${metadata.name}` } };
      copied.push(readPodFacts(pod));
      asked.push(`make ${metadata.name}`);
      return Promise.resolve({ outcome: 'created', object: pod });
    },
    apply: (object) => {
      const { 'progress.json': text = '{}' } = object['data'] as Record<string, string>;
      const said = Object.entries(JSON.parse(text) as Record<string, { kind: string }>).map(([name, { kind }]) => `${name} ${kind}`);
      asked.push(`record ${said.join(', ')}`);
      stored.set(object.metadata.name, object);
      return Promise.resolve(object);
    },
    delete: (_kind, { name }) => {
      asked.push(`delete ${name}`);
      return Promise.resolve();
    },
  };
  let pods = new WorkerPods({ values: () => copied });
  const contextOf = () => ({
    api,
    pods,
    nodes: new NodeView({ api, monotonicNow: () => now }),
    settings: SETTINGS,
    log: logInTest().log,
    monotonicNow: () => now,
  });
  const look = async (
    afterMs = 0,
  ): Promise<{ readonly asked: string[]; readonly again: number | null; readonly failure: string | null }> => {
    now += afterMs;
    asked.length = 0;
    const { againAfterMs, failure } = await carryOnRun(contextOf(), run, signal);
    return { asked: [...asked], again: againAfterMs, failure: failure?.message ?? null };
  };
  const change = (name: string, fields: Partial<PodFacts>): void => {
    const at = copied.findIndex((pod) => pod.node === name);
    const pod = copied[at];
    if (pod !== undefined) copied[at] = { ...pod, ...fields };
  };
  const drop = (name: string): void => {
    copied.splice(
      copied.findIndex((pod) => pod.node === name),
      1,
    );
  };
  /** By another controller, which knows what is stored and no more. */
  const takeOver = (): void => {
    run = load(names, manager, stored);
    pods = new WorkerPods({ values: () => copied });
  };
  return { run: first, now: () => run, nodes, broken, look, change, drop, takeOver };
}

const podOf = (run: Run, node: string): string => run.podNames.get(node) ?? '';

test('what came of a node is on record before its pod is deleted', async () => {
  const { run, look, change } = start(['a', 'b']);
  expect((await look()).asked).toEqual([`make ${podOf(run, 'a')}`, `make ${podOf(run, 'b')}`]);
  change('b', { phase: 'Running', containers: [{ name: 'remover', state: { kind: 'running' } }] });
  expect((await look()).asked).toEqual([]);
  expect((await look(30_000)).asked).toEqual(['record a started, b started']);
  expect((await look(6 * MINUTE)).asked).toEqual(['record a failed, b started', `delete ${podOf(run, 'a')}`]);
});

test('a node whose place is free is begun with at once, whatever is not on record yet', async () => {
  const { run, look, change } = start(['a', 'b', 'c']);
  await look();
  change('a', { phase: 'Succeeded' });
  const { asked, again } = await look(1_000);
  expect(asked).toEqual([`make ${podOf(run, 'c')}`]);
  expect(again).toBe(10_000);
  expect((await look(10_000)).asked).toEqual(['record a succeeded, b started, c started']);
});

test('the outcome of a pod that is about to go is on record at once', async () => {
  const { look, change } = start(['a', 'b']);
  await look();
  change('a', { phase: 'Succeeded', isBeingDeleted: true });
  expect((await look(1_000)).asked).toEqual(['record a succeeded, b started']);
});

test('the nodes of pods are looked at when they have had their time, and not more often than it takes', async () => {
  const { nodes, look, change } = start(['a']);
  await look();
  change('a', { phase: 'Running', containers: [{ name: 'remover', state: { kind: 'running' } }] });
  await look(1_000);
  nodes.set('a', nodeObject('a', { ready: false }));
  let minutes = 0;
  for (let asked: string[] = []; !asked.some((what) => what.startsWith('delete')) && minutes < 30; minutes += 0.5)
    ({ asked } = await look(MINUTE / 2));
  expect(minutes).toBeGreaterThan(5);
  expect(minutes).toBeLessThan(8);
});

test('a pod that cannot be made is tried again, and fails its node in its time', async () => {
  const started = start(['a']);
  started.broken.add('create');
  expect(await started.look()).toMatchObject({ asked: [], failure: 'the webhook is down' });
  expect(await started.look(4 * MINUTE)).toMatchObject({ asked: [], failure: 'the webhook is down' });
  expect(await started.look(MINUTE)).toMatchObject({ asked: ['record a failed'], failure: null });
  expect(started.run.parts.flat()[0]?.record).toMatchObject({ message: 'its worker pod could not be made: the webhook is down' });
});

test('what is due is on record though pods cannot be made', async () => {
  const { broken, look, change } = start(['a', 'b', 'c']);
  await look();
  broken.add('create');
  change('a', { phase: 'Succeeded', isBeingDeleted: true });
  expect(await look(1_000)).toMatchObject({ asked: ['record a succeeded, b started'], failure: 'the webhook is down' });
});

test('that nodes cannot be looked at keeps no run from its end', async () => {
  const { broken, look, change } = start(['a']);
  await look();
  broken.add('list');
  change('a', { phase: 'Succeeded' });
  expect(await look(10 * MINUTE)).toMatchObject({ asked: ['record a succeeded'], failure: null });
});

describe('a run with a pause of an hour between its waves', () => {
  const PAUSE = { imageJob: { waves: { pause: '1h' } } };
  const startFour = () => start(['a', 'b', 'c', 'd'], PAUSE);
  const made = ({ asked }: { readonly asked: readonly string[] }): string[] => asked.filter((what) => what.startsWith('make'));

  test('begins with the next wave when all of one have ended, and the pause is over', async () => {
    const { run, look, change } = startFour();
    expect(made(await look())).toHaveLength(2);
    change('a', { phase: 'Succeeded' });
    expect(made(await look(MINUTE))).toEqual([]);
    change('b', { phase: 'Succeeded' });
    expect(made(await look(MINUTE))).toEqual([]);
    expect(run.pausedAfter).toBe(1);
    const waiting = await look(MINUTE);
    expect(made(waiting)).toEqual([]);
    expect(waiting.again).toBeLessThanOrEqual(59 * MINUTE);
    expect(made(await look(58 * MINUTE))).toEqual([]);
    expect(made(await look(MINUTE))).toEqual([`make ${podOf(run, 'c')}`, `make ${podOf(run, 'd')}`]);
    expect(run.pausedAfter).toBeNull();
  });

  test('has the same waves when another controller takes over: by pods, and by records where they are gone', async () => {
    const { now, look, change, drop, takeOver } = startFour();
    await look();
    change('a', { phase: 'Succeeded' });
    takeOver();
    expect(made(await look(MINUTE))).toEqual([]);
    expect([...now().waves.values()]).toEqual([1, 1]);
    expect((await look(MINUTE)).asked).toEqual(['record a succeeded, b started']);
    change('b', { phase: 'Succeeded', isBeingDeleted: true });
    await look(MINUTE);
    drop('a');
    drop('b');
    takeOver();
    expect([...now().waves]).toEqual([
      ['a', 1],
      ['b', 1],
    ]);
    // The pause begins anew, once.
    expect(made(await look(50 * MINUTE))).toEqual([]);
    expect(made(await look(59 * MINUTE))).toEqual([]);
    expect(made(await look(MINUTE))).toHaveLength(2);
    expect([...now().waves.values()]).toEqual([1, 1, 2, 2]);
  });

  test('gives the place of a node that is skipped at its turn to another in the same wave', async () => {
    const { run, nodes, look } = startFour();
    nodes.delete('a');
    expect(made(await look())).toEqual([`make ${podOf(run, 'b')}`]);
    expect(made(await look())).toEqual([`make ${podOf(run, 'c')}`]);
    expect([...run.waves.keys()]).toEqual(['b', 'c']);
  });

  test('tries what could not be made before a pause anew after it', async () => {
    const { broken, look, change } = startFour();
    broken.add('create on b');
    expect(await look()).toMatchObject({ failure: 'the webhook is down' });
    change('a', { phase: 'Succeeded' });
    expect(made(await look(MINUTE))).toEqual([]);
    const later = await look(60 * MINUTE);
    expect(later).toMatchObject({ failure: 'the webhook is down' });
    expect(made(later)).toHaveLength(1);
    broken.clear();
    expect(made(await look(MINUTE))).toHaveLength(1);
  });
});

describe('a node that is lost', () => {
  const failureOf = (run: Run, name: string): unknown => run.parts.flat().find((node) => node.name === name)?.record;

  test('by its object, with which Kubernetes has deleted its pod, has failed for that', async () => {
    const { run, nodes, look, drop } = start(['a', 'b']);
    await look();
    nodes.delete('a');
    drop('a');
    await look(MINUTE);
    expect(failureOf(run, 'a')).toMatchObject({ kind: 'failed', message: 'the node is gone' });
    drop('b');
    await look(MINUTE);
    expect(failureOf(run, 'b')).toMatchObject({ kind: 'failed', message: 'its worker pod is gone: someone deleted it' });
  });

  test('by its object, while its pod is still there, has failed when it is looked at', async () => {
    const { run, nodes, look } = start(['a']);
    await look();
    nodes.delete('a');
    expect((await look(2 * MINUTE + 1)).asked).toEqual(['record a failed', `delete ${podOf(run, 'a')}`]);
    expect(failureOf(run, 'a')).toMatchObject({ message: 'the node is gone' });
  });

  test('before its pod has begun fails in the time that a pod has to start, with what is known of it', async () => {
    const { run, nodes, look } = start(['a']);
    await look();
    nodes.set('a', nodeObject('a', { ready: false }));
    for (let minutes = 0; minutes < 6; minutes += 1) await look(MINUTE);
    expect(failureOf(run, 'a')).toMatchObject({ kind: 'failed', message: 'its worker pod did not start within 5 minutes' });
  });
});
