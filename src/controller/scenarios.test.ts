import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import {
  type ClusterInTest,
  fastTiming,
  NAMESPACE,
  soon,
  startClusterInTest,
  startManagerInTest,
} from '../../test/fakes/manager-in-fake-cluster.ts';
import type { Condition } from '../api/condition.ts';
import { JOB_OWNER_LABEL, JOB_OWNERS, LATE_NODES_LABEL } from '../api/image-job.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { SYSTEM_TIMING } from '../platform/timing.ts';
import type { RecordRun } from './ports.ts';
import { formatManagerState, NEW_STATE, type ManagerState } from './state/manager-state.ts';

const LIST = ['docker.io/library/nothing:1'];
const KEPT = { imageJob: { cleanup: { delayOnSuccess: '1h', delayOnFailure: '1h' } } };
const AUTOMATIC = [KEPT, { collector: { enabled: true } }] as const;

const phases = (server: ClusterInTest): unknown[] => server.jobs().map((job) => (job['status'] as { phase?: string } | undefined)?.phase);
const conditionsOf = (object: KubeObject | undefined): Condition[] =>
  (object?.['status'] as { conditions?: Condition[] } | undefined)?.conditions ?? [];
const condition = (object: KubeObject | undefined, type: string): Condition | undefined =>
  conditionsOf(object).find((found) => found.type === type);
const bases = (server: ClusterInTest): string[] => server.podsMade.map((name) => name.replace(/-[0-9a-f]{10}$/, '')).sort();

function storeState(server: ClusterInTest, state: Partial<ManagerState>): void {
  server.put('/configmaps', {
    metadata: { name: 'eraser-manager-state', namespace: NAMESPACE },
    data: { 'state.json': formatManagerState({ ...NEW_STATE, ...state }) },
  });
}

function exclude(server: ClusterInTest, text: string): void {
  const metadata = { name: 'mine', namespace: NAMESPACE, labels: { 'eraser.sh/exclude.list': 'true' } };
  server.put('/configmaps', { metadata, data: { 'a.json': text } });
}

describe('the history is told of the beginning and the end of a run', () => {
  const MILLISECONDS = expect.any(Number) as number;
  const readRun = (server: ClusterInTest): object => {
    const { uid, name } = server.jobs()[0]?.metadata ?? {};
    return { uid, name, run: 'automatic', startedAt: MILLISECONDS };
  };

  test('under the uid of its job', async () => {
    const server = await startClusterInTest(['a']);
    server.configure(...AUTOMATIC);
    server.endPodsSoon();
    const manager = startManagerInTest(server);
    await soon(() => expect(phases(server)).toEqual(['Completed']));
    const run = readRun(server);
    await soon(() =>
      expect(manager.recorded).toEqual([
        { ...run, endedAt: null },
        { ...run, endedAt: MILLISECONDS },
      ]),
    );
  });

  test('of which the job is not deleted before, though it has had its time', async () => {
    const server = await startClusterInTest(['a']);
    server.configure({ imageJob: { cleanup: { delayOnSuccess: '0s' } } }, { collector: { enabled: true } });
    server.endPodsSoon();
    let isAway = true;
    const asked: (number | null)[] = [];
    const recordRun: RecordRun = ({ endedAt }) => {
      asked.push(endedAt);
      return isAway ? Promise.reject(new Error('the history is away')) : Promise.resolve();
    };
    const manager = startManagerInTest(server, { recordRun, timing: fastTiming(1_000) });
    await soon(() => expect(asked.filter((endedAt) => endedAt !== null).length).toBeGreaterThan(2));
    expect([phases(server), server.pods(), manager.recorded]).toEqual([['Completed'], [], []]);
    const run = readRun(server);
    isAway = false;
    await soon(() => expect(server.jobs()).toEqual([]));
    expect(manager.recorded).toEqual([{ ...run, endedAt: MILLISECONDS }]);
  });

  test('by the next manager, when the one that led the run died before', async () => {
    const server = await startClusterInTest(['a']);
    server.configure(...AUTOMATIC);
    server.endPodsSoon();
    const recordRun: RecordRun = ({ endedAt }) => (endedAt === null ? Promise.resolve() : Promise.reject(new Error('killed')));
    const first = startManagerInTest(server, { recordRun });
    await soon(() => expect(phases(server)).toEqual(['Completed']));
    await first.stop();
    const next = startManagerInTest(server);
    await soon(() => expect(next.recorded).toEqual([{ ...readRun(server), endedAt: MILLISECONDS }]));
  });

  test('unless it was refused before it began', async () => {
    const server = await startClusterInTest(['a']);
    server.configure(...AUTOMATIC);
    server.endPodsSoon();
    const manager = startManagerInTest(server);
    const metadata = { name: 'by-hand', labels: { [JOB_OWNER_LABEL]: JOB_OWNERS.automatic } };
    server.put('eraser.sh/imagejobs', { apiVersion: 'eraser.sh/v1', kind: 'ImageJob', metadata });
    await soon(() => expect(phases(server).sort()).toEqual(['Completed', 'Failed']));
    await soon(() => expect(manager.recorded).toHaveLength(2));
    await manager.stop();
    expect(manager.recorded.map(({ name }) => name)).not.toContain('by-hand');
  });
});

test('since when a manager goes on with a run of another one is known, and of its own there is no such time', async () => {
  const server = await startClusterInTest(['a']);
  server.configure(...AUTOMATIC);
  const first = startManagerInTest(server);
  await soon(() => expect(server.pods()).toHaveLength(1));
  const uid = server.jobs()[0]?.metadata.uid ?? '';
  expect(first.findRun(uid)).toMatchObject({ kind: 'goes-on', takenUpAt: null });
  await first.stop();
  const before = SYSTEM_TIMING.now();
  const next = startManagerInTest(server);
  await soon(() => expect(next.findRun(uid)).toMatchObject({ kind: 'goes-on', takenUpAt: expect.any(Number) as number }));
  const found = next.findRun(uid);
  expect(found?.kind === 'goes-on' ? found.takenUpAt : null).toBeGreaterThan(before);
});

describe('a run that cannot begin', () => {
  test('says which right is missing, and begins once it is there', async () => {
    const server = await startClusterInTest(['a']);
    server.configure(...AUTOMATIC);
    server.endPodsSoon();
    const message = 'statefulsets.apps is forbidden';
    const body = JSON.stringify({ kind: 'Status', code: 403, reason: 'Forbidden', message });
    server.failNext({ kind: 'answer', statusCode: 403, body }, ({ path }) => path === '/apis/apps/v1/statefulsets');
    const manager = startManagerInTest(server, { timing: fastTiming(1_000) });
    await soon(() => expect(condition(server.jobs()[0], 'Stalled')).toMatchObject({ status: 'True', reason: 'WorkloadsUnreadable' }));
    expect(condition(server.jobs()[0], 'Stalled')?.message).toMatch(
      /statefulsets\.apps is forbidden.+Grant the verb "list" on "statefulsets" of API group "apps" in the whole cluster/,
    );
    expect(server.podsMade).toEqual([]);
    const note = expect.stringContaining(message) as string;
    await soon(() =>
      expect(manager.events).toContainEqual(expect.objectContaining({ type: 'Warning', reason: 'WorkloadsUnreadable', note })),
    );
    await soon(() => expect(phases(server)).toEqual(['Completed']));
    expect(condition(server.jobs()[0], 'Stalled')).toBeUndefined();
    expect(bases(server)).toEqual(['eraser-a']);
  });

  test('over late nodes, of which it is not known any more which they are, is refused, and touches no node', async () => {
    const server = await startClusterInTest(['a']);
    server.configure({ ...KEPT, scheduling: { repeatInterval: '24h', beginImmediately: false } }, { collector: { enabled: true } });
    server.endPodsSoon();
    storeState(server, { automatic: { job: 'imagejob-late', stage: 'created' } });
    const metadata = { name: 'imagejob-late', labels: { [JOB_OWNER_LABEL]: JOB_OWNERS.automatic, [LATE_NODES_LABEL]: 'imagejob-before' } };
    server.put('eraser.sh/imagejobs', { apiVersion: 'eraser.sh/v1', kind: 'ImageJob', metadata });
    startManagerInTest(server);
    const late = (): KubeObject | undefined => server.jobs().find((job) => job.metadata.name === 'imagejob-late');
    await soon(() => expect(condition(late(), 'Failed')).toMatchObject({ status: 'True', reason: 'RunLost' }));
    expect(server.podsMade).toEqual([]);
  });

  test('since the exclusions have become unreadable says so, in the job and in its list, and begins when they can be read', async () => {
    const server = await startClusterInTest(['a']);
    server.configure(KEPT);
    server.endPodsSoon();
    const { uid = '' } = server.applyList(LIST).metadata;
    const list = { uid, generation: 1 };
    storeState(server, { manual: { job: 'imagejob-x', stage: 'created', list }, lastBegun: list });
    const annotations = { 'eraser.sh/image-list-uid': uid, 'eraser.sh/image-list-generation': '1' };
    const metadata = { name: 'imagejob-x', labels: { 'eraser.sh/job-owner': 'imagelist-controller' }, annotations };
    server.put('eraser.sh/imagejobs', { apiVersion: 'eraser.sh/v1', kind: 'ImageJob', metadata });
    exclude(server, '{');
    const manager = startManagerInTest(server);
    await soon(() => {
      expect(condition(server.jobs()[0], 'Stalled')).toMatchObject({ status: 'True', reason: 'ExclusionsUnreadable' });
      expect(condition(server.list(), 'Reconciling')?.message).toMatch(/waits\. The exclusions cannot be used.+mine\/a\.json/);
    });
    expect(manager.events).toContainEqual(
      expect.objectContaining({ reason: 'ExclusionsUnreadable', regarding: expect.objectContaining({ kind: 'ImageJob' }) as object }),
    );
    expect(phases(server)).toEqual([undefined]);
    exclude(server, '{"excluded": []}');
    await soon(() => expect(phases(server)).toEqual(['Completed']));
    await soon(() => expect(condition(server.list(), 'Ready')).toMatchObject({ status: 'True' }));
  });
});

describe('a run that is asked for', () => {
  const TOMORROW = { ...KEPT, scheduling: { repeatInterval: '24h', beginImmediately: false } };
  const requestsOf = (server: ClusterInTest): unknown[] =>
    server.jobs().map(({ metadata }) => (metadata['annotations'] as Record<string, string>)['eraser.sh/run-requested']);

  test('begins at once, and once; what is asked for meanwhile is one run after it, for the last who asked', async () => {
    const server = await startClusterInTest(['a']);
    server.configure(TOMORROW, { collector: { enabled: true } });
    startManagerInTest(server);
    await sleep(300);
    expect(server.jobsMade).toEqual([]);
    server.requestRun('first');
    await soon(() => expect(bases(server)).toEqual(['eraser-a']));
    server.requestRun('second');
    server.requestRun('third');
    await sleep(300);
    expect(server.jobsMade).toHaveLength(1);
    server.endPodsSoon();
    await soon(() => expect(phases(server)).toEqual(['Completed', 'Completed']));
    expect(requestsOf(server)).toEqual(['first', 'third']);
    await sleep(300);
    expect(server.jobsMade).toHaveLength(2);
  });

  test('is not begun again after a restart', async () => {
    const server = await startClusterInTest(['a']);
    server.configure(TOMORROW, { collector: { enabled: true } });
    server.requestRun('first');
    server.endPodsSoon();
    const first = startManagerInTest(server);
    await soon(() => expect(phases(server)).toEqual(['Completed']));
    await soon(() => expect(server.state()).toMatchObject({ automatic: null }));
    await first.stop();
    startManagerInTest(server);
    await sleep(500);
    expect(server.jobsMade).toHaveLength(1);
  });

  test('is refused when automatic runs are off, and says so', async () => {
    const server = await startClusterInTest(['a']);
    server.configure(TOMORROW, { collector: { enabled: false } });
    server.requestRun('first');
    const manager = startManagerInTest(server);
    await soon(() =>
      expect(manager.events).toContainEqual(
        expect.objectContaining({ reason: 'RunRequestRefused', note: expect.stringContaining('components.collector.enabled') as string }),
      ),
    );
    const refusal = expect.objectContaining({ type: 'RunRequestAccepted', status: 'False', reason: 'AutomaticRunsOff' }) as object;
    await soon(() => expect(server.state()['conditions']).toContainEqual(refusal));
    server.configure(TOMORROW, { collector: { enabled: true } });
    server.requestRun('first');
    await sleep(300);
    expect(server.jobsMade).toEqual([]);
    server.requestRun('second');
    await soon(() => expect(requestsOf(server)).toEqual(['second']));
  });
});

describe('a list that Eraser has worked off', () => {
  const status = { success: 3, failed: 1, skipped: 0, timestamp: '2026-01-01T12:00:00Z' };
  const metadata = (fields: object = {}): object => ({ name: 'imagelist', ...fields });

  test('is not run again on the first start, nor later, but when it is changed', async () => {
    const server = await startClusterInTest(['a']);
    server.configure(KEPT);
    server.endPodsSoon();
    server.applyList(LIST, { status });
    const first = startManagerInTest(server);
    await soon(() => expect(condition(server.list(), 'Ready')).toMatchObject({ status: 'True', reason: 'WorkedOffBefore' }));
    expect(server.list()?.['status']).toMatchObject(status);
    await first.stop();
    startManagerInTest(server);
    await sleep(500);
    expect(server.jobsMade).toEqual([]);

    server.applyList([...LIST, 'docker.io/library/nothing:2'], {
      metadata: metadata({ generation: 2 }),
      status: server.list()?.['status'],
    });
    await soon(() => expect(server.list()?.['status']).toMatchObject({ success: 1, failed: 0, observedGeneration: 2 }));
    expect(server.jobsMade).toHaveLength(1);
  });

  test('is run when it was changed after that', async () => {
    const server = await startClusterInTest(['a']);
    server.configure(KEPT);
    server.endPodsSoon();
    const managedFields = [{ manager: 'kubectl', time: '2026-01-01T12:00:30Z', fieldsV1: { 'f:spec': {} } }];
    server.applyList(LIST, { metadata: metadata({ managedFields }), status });
    startManagerInTest(server);
    await soon(() => expect(server.list()?.['status']).toMatchObject({ success: 1, observedGeneration: 1 }));
  });
});

describe('what people do in the middle of a run', () => {
  test('a job that is deleted ends the run, which is told, and makes no other', async () => {
    const server = await startClusterInTest(['a', 'b']);
    server.configure(KEPT);
    server.applyList(LIST);
    startManagerInTest(server, { settings: { maxParallel: { kind: 'count', count: 1 } } });
    await soon(() => expect(bases(server)).toEqual(['eraser-a']));
    server.history.delete('eraser.sh/imagejobs', server.jobs()[0]?.metadata.name ?? '');
    // As the garbage collector does.
    for (const { metadata } of server.pods()) server.history.delete('/pods', `${NAMESPACE}/${metadata.name}`);
    await soon(() => expect(condition(server.list(), 'Ready')).toMatchObject({ status: 'False', reason: 'JobDeleted' }));
    await sleep(500);
    expect(server.jobsMade).toHaveLength(1);
    expect(bases(server)).toEqual(['eraser-a']);
    expect(server.state()).toMatchObject({ manual: null });
  });

  test('a configuration that is changed holds from the next run on', async () => {
    const server = await startClusterInTest(['a', 'b']);
    server.configure({ ...KEPT, imageJob: { ...KEPT.imageJob, maxParallel: 1 } });
    server.applyList(LIST);
    startManagerInTest(server);
    await soon(() => expect(bases(server)).toEqual(['eraser-a']));
    server.configure({ imageJob: { maxParallel: 2, successRatio: 0.5 }, nodeFilter: { selectors: ['never'] } });
    await sleep(300);
    expect(bases(server)).toEqual(['eraser-a']);
    server.endPodsSoon();
    await soon(() => expect(phases(server)).toEqual(['Completed']));
    expect(bases(server)).toEqual(['eraser-a', 'eraser-b']);
  });

  test('a node that is labelled before its turn is left alone', async () => {
    const server = await startClusterInTest(['a', 'b']);
    server.configure(KEPT);
    server.applyList(LIST);
    startManagerInTest(server, { timing: fastTiming(1_000), settings: { maxParallel: { kind: 'count', count: 1 } } });
    await soon(() => expect(bases(server)).toEqual(['eraser-a']));
    const node = server.history.get('/nodes', 'b');
    server.put('/nodes', { ...node, metadata: { name: 'b', labels: { 'eraser.sh/cleanup.filter': '' } } });
    // Until what was seen of it is old.
    await sleep(700);
    server.endPodsSoon();
    await soon(() =>
      expect(server.jobs()[0]?.['status']).toMatchObject({ phase: 'Completed', succeeded: 1, skippedByReason: { filtered: 1 } }),
    );
    expect(bases(server)).toEqual(['eraser-a']);
  });

  test('a job that cannot be read is in the way of no other', async () => {
    const server = await startClusterInTest(['a']);
    server.configure({ imageJob: { cleanup: { delayOnSuccess: '0s' } } });
    server.endPodsSoon();
    const odd = { apiVersion: 'eraser.sh/v1', kind: 'ImageJob', metadata: { name: 'odd' }, status: { phase: 'Odd' } };
    server.put('eraser.sh/imagejobs', odd);
    server.applyList(LIST);
    startManagerInTest(server);
    await soon(() => expect(server.list()?.['status']).toMatchObject({ success: 1 }));
    await soon(() => expect(server.jobs().map(({ metadata }) => metadata.name)).toEqual(['odd']));
  });
});

test('the pods of a run that is over are told to go once, however long they take, and again when they do not', async () => {
  const server = await startClusterInTest(['a', 'b']);
  server.configure(KEPT);
  server.applyList(LIST);
  const isDeletion = ({ method, path }: { method: string; path: string }): boolean => method === 'DELETE' && path.endsWith('/pods');
  server.failNext({ kind: 'answer', statusCode: 200, body: '{}' }, isDeletion);
  startManagerInTest(server, { timing: fastTiming(2_000) });
  await soon(() => expect(bases(server)).toEqual(['eraser-a', 'eraser-b']));
  server.endPods();
  const deletions = (): number => server.requests.filter(isDeletion).length;
  await soon(() => expect(deletions()).toBe(1));
  for (const label of ['1', '2', '3', '4']) {
    const [pod] = server.pods();
    if (pod !== undefined) server.put('/pods', { ...pod, metadata: { ...pod.metadata, annotations: { label } } });
    await sleep(50);
  }
  expect(deletions()).toBe(1);
  await soon(() => expect(server.pods()).toEqual([]));
  expect(deletions()).toBe(2);
});

test('writes that are not answered lose no result, and make no pod twice', async () => {
  const server = await startClusterInTest(['a', 'b', 'c']);
  server.configure(KEPT);
  server.endPodsSoon();
  server.applyList(LIST);
  const isRecord = ({ method, path }: { method: string; path: string }): boolean => method === 'PATCH' && path.includes('-nodes-');
  server.failNext({ kind: 'answer', statusCode: 409, body: JSON.stringify({ kind: 'Status', code: 409, reason: 'Conflict' }) }, isRecord);
  server.failNext({ kind: 'reset', executed: true }, ({ method, path }) => method === 'POST' && path.endsWith('/pods'));
  startManagerInTest(server, { settings: { maxParallel: { kind: 'count', count: 1 } } });
  await soon(() => expect(server.jobs()[0]?.['status']).toMatchObject({ phase: 'Completed', succeeded: 3, removedImages: 3 }));
  expect(bases(server)).toEqual(['eraser-a', 'eraser-b', 'eraser-c']);
});

test("what the cluster's workloads want again is kept with an automatic run", async () => {
  const server = await startClusterInTest(['a']);
  server.configure(...AUTOMATIC);
  const spec = { jobTemplate: { spec: { template: { spec: { containers: [{ image: 'registry.example/report:1' }] } } } } };
  server.put('batch/cronjobs', { metadata: { name: 'nightly', namespace: 'shop' }, spec });
  startManagerInTest(server);
  await soon(() => expect(bases(server)).toEqual(['eraser-a']));
  const maps = server.history.list('/configmaps').map(([, object]) => object);
  const kept = maps.find(({ metadata }) => metadata.name.endsWith('-protections-0'));
  expect(kept).toMatchObject({
    immutable: true,
    data: {
      'protections.json': JSON.stringify({
        part: 0,
        of: 1,
        protections: [{ object: { kind: 'CronJob', namespace: 'shop', name: 'nightly' }, imageReferences: ['registry.example/report:1'] }],
      }),
    },
  });
});

describe('results that are on record before the kubelet has said that the pod has ended', () => {
  const removed = { removedImages: 3, reclaimedBytes: 30 };
  const uidOf = (object: KubeObject | undefined): string => object?.metadata.uid ?? '';

  async function untilReported(minuteMs: number): Promise<{ server: ClusterInTest; pod: KubeObject }> {
    const server = await startClusterInTest(['a']);
    server.configure(...AUTOMATIC);
    const HOURS = { startMs: 36_000_000, runMs: 36_000_000 };
    const manager = startManagerInTest(server, { timing: fastTiming(minuteMs), settings: { timeouts: HOURS } });
    await soon(() => expect(server.pods()).toHaveLength(1));
    const [pod] = server.pods();
    if (pod === undefined) throw new Error('no pod');
    const running = { phase: 'Running', containerStatuses: [{ name: 'remover', state: { running: {} } }] };
    server.put('/pods', { ...pod, status: running });
    manager.noteReported({ job: uidOf(server.jobs()[0]), node: 'a' }, removed);
    await soon(() => expect(phases(server)).toEqual(['Completed']));
    expect(server.jobs()[0]?.['status']).toMatchObject({ succeeded: 1, removedImages: 3, reclaimedBytes: 30 });
    return { server, pod };
  }

  test('end the run, and its pod goes when its containers have ended', async () => {
    const { server, pod } = await untilReported(10_000);
    await sleep(100);
    expect(server.pods()).toHaveLength(1);
    const containerStatuses = [{ name: 'remover', state: { terminated: { exitCode: 0 } } }];
    server.put('/pods', { ...pod, status: { phase: 'Running', containerStatuses } });
    await soon(() => expect(server.pods()).toEqual([]));
  });

  test('count in the totals of a manager that comes after the one that heard of them, with the pod gone, once the history can be read', async () => {
    const server = await startClusterInTest(['a']);
    server.configure(...AUTOMATIC);
    const first = startManagerInTest(server);
    await soon(() => expect(server.pods()).toHaveLength(1));
    await first.stop();
    server.history.delete('/pods', `${NAMESPACE}/${server.pods()[0]?.metadata.name ?? ''}`);
    const uid = uidOf(server.jobs()[0]);
    const asked: string[] = [];
    const readReported = (job: string): Promise<ReadonlyMap<string, typeof removed>> => {
      asked.push(job);
      return asked.length === 1 ? Promise.reject(new Error('the history is away')) : Promise.resolve(new Map([['a', removed]]));
    };
    const second = startManagerInTest(server, { readReported, timing: fastTiming(1_000) });
    await soon(() => expect(phases(server)).toEqual(['Completed']));
    expect(server.jobs()[0]?.['status']).toMatchObject({ succeeded: 1, failed: 0, removedImages: 3, reclaimedBytes: 30 });
    expect(asked).toEqual([uid, uid]);
    expect(second.lines.map(({ message }) => message)).toContain('reconcile failed');
  });

  test('end the run, and a pod whose containers do not end goes a minute later', async () => {
    const { server } = await untilReported(300);
    await soon(() => expect(server.pods()).toEqual([]));
  });
});
