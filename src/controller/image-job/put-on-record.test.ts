import { describe, expect, test } from 'vitest';
import { acceptedConfiguration, acceptInTest } from '../../../test/fakes/cluster.ts';
import { logInTest } from '../../../test/fakes/log-in-test.ts';
import { startFakeCluster } from '../../../test/fakes/fake-cluster.ts';
import { bindClusterApi } from '../bind/bind-cluster-api.ts';
import type { ClusterApi } from '../ports.ts';
import type { RawObject } from '../raw-object.ts';
import { makeFrozenConfigMaps } from './frozen-config-maps.ts';
import { makeAutomaticJob, readImageJob } from './image-job-object.ts';
import { loadRun } from './load-run.ts';
import { divideNodes, type NodeRecord } from './node-records.ts';
import { dueAt, noteRecords, takeOver, writeRecords } from './put-on-record.ts';
import type { Run } from './run.ts';

const NAMESPACE = 'eraser-system';
const { signal } = new AbortController();
const JOB = { name: 'job', uid: 'job-uid' };
const { log } = logInTest();
const DONE: NodeRecord = { kind: 'succeeded', removedImages: 1, reclaimedBytes: 2 };
const STARTED: NodeRecord = { kind: 'started' };
const records = (record: NodeRecord, ...names: string[]): Map<string, NodeRecord> => new Map(names.map((name) => [name, record]));
const named = (count: number): string[] => Array.from({ length: count }, (_, at) => `n${String(at)}`);

function load(objects: readonly RawObject[]): Run {
  const raw = makeAutomaticJob('job') as RawObject;
  const metadata = { ...raw.metadata, uid: 'job-uid', resourceVersion: '1', generation: 1, creationTimestamp: '2026-01-01T00:00:00Z' };
  const context = {
    acceptConfiguration: acceptInTest,
    sha256: (text: string) => text,
  };
  const run = loadRun(context, { job: readImageJob({ ...raw, metadata }), kind: 'automatic', now: 0 }, objects);
  if (typeof run === 'string') throw new Error(run);
  return run;
}

function frozen(count: number): RawObject[] {
  const participating = named(count).map((name) => ({ name, runtime: 'containerd' as const, isUnderDiskPressure: false }));
  const content = {
    configuration: acceptedConfiguration().text,
    exclusions: [],
    images: null,
    protections: [],
    nodes: divideNodes(participating, []),
  };
  return makeFrozenConfigMaps(JOB, NAMESPACE, content);
}

/** A run on an API server, and how whoever comes next would load it. */
async function begun(count: number): Promise<{ readonly api: ClusterApi; readonly reload: () => Promise<Run> }> {
  const { client } = await startFakeCluster();
  const api = bindClusterApi({ client, namespace: NAMESPACE, isHeld: () => true });
  for (const object of frozen(count)) await api.create('ConfigMap', object, signal);
  const reload = async (): Promise<Run> => load(await api.list('ConfigMap', { trim: (object) => object }, signal));
  return { api, reload };
}

const kinds = (run: Run): string[] => run.parts.flat().map(({ record }) => record.kind);

describe('records', () => {
  test.each<[string, number, [number, Map<string, NodeRecord>][], number]>([
    ['nothing is never due', 3, [], Infinity],
    ['one outcome waits for others', 200, [[1_000, records(DONE, 'n0')]], 11_000],
    [
      'it waits from when it came',
      200,
      [
        [1_000, records(STARTED, 'n0')],
        [5_000, records(DONE, 'n0')],
      ],
      11_000,
    ],
    ['it waits for longer in a run that takes long', 200, [[200_000, records(DONE, 'n0')]], 240_000],
    ['and not for ever', 200, [[4_000_000, records(DONE, 'n0')]], 4_060_000],
    ['many outcomes are due at once', 200, [[1_000, records(DONE, ...named(40))]], 1_000],
    ['pods that were seen are not many outcomes', 200, [[1_000, records(STARTED, ...named(40))]], 11_000],
    ['the last outcome is due at once', 2, [[1_000, records(DONE, 'n0', 'n1')]], 1_000],
  ])('%s', (_case, count, noted, expected) => {
    const run = load(frozen(count));
    for (const [now, some] of noted) noteRecords({ log }, run, { records: some, now });
    expect(dueAt(run)).toBe(expected);
  });

  test('are written together, one configmap for each part that changed', async () => {
    const { api, reload } = await begun(600);
    const run = await reload();
    const written: string[] = [];
    const counting: Pick<ClusterApi, 'apply'> = {
      apply: (object, until) => {
        written.push(object.metadata.name);
        return api.apply(object, until);
      },
    };
    noteRecords({ log }, run, { records: records(STARTED, 'n1', 'n2'), now: 0 });
    noteRecords({ log }, run, { records: records(DONE, 'n2'), now: 0 });
    await writeRecords(counting, { run, namespace: NAMESPACE }, signal);
    await writeRecords(counting, { run, namespace: NAMESPACE }, signal);
    expect(written).toEqual(['job-nodes-0']);
    expect(kinds(await reload()).slice(0, 4)).toEqual(['waiting', 'started', 'succeeded', 'waiting']);
  });

  test('of a leader that was replaced write nothing over; read again, none of both is lost', async () => {
    const { api, reload } = await begun(3);
    const [late, early] = [await reload(), await reload()];
    noteRecords({ log }, late, { records: records(DONE, 'n0'), now: 0 });
    await writeRecords(api, { run: late, namespace: NAMESPACE }, signal);
    noteRecords({ log }, early, { records: records(DONE, 'n1'), now: 0 });
    await expect(writeRecords(api, { run: early, namespace: NAMESPACE }, signal)).rejects.toMatchObject({ code: 'conflict' });
    expect(early.isInDoubt).toBe(true);
    expect(kinds(await reload())).toEqual(['succeeded', 'waiting', 'waiting']);

    const again = await reload();
    takeOver({ log }, early, { run: again, now: 0 });
    expect(kinds(again)).toEqual(['succeeded', 'succeeded', 'waiting']);
    await writeRecords(api, { run: again, namespace: NAMESPACE }, signal);
    expect(kinds(await reload())).toEqual(['succeeded', 'succeeded', 'waiting']);
  });
});
