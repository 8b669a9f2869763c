import { describe, expect, onTestFinished, test } from 'vitest';
import { clientOf } from '../../test/fakes/fake-cluster.ts';
import { type ClusterInTest, NAMESPACE, soon, startClusterInTest, startManagerInTest } from '../../test/fakes/manager-in-fake-cluster.ts';
import { STATE_CONFIG_MAP, STATE_KEY } from '../api/state-config-map.ts';
import { formatManagerState, NEW_STATE } from '../controller/state/manager-state.ts';
import { SYSTEM_TIMING } from '../platform/timing.ts';
import type { ClusterSite } from './cluster-site.ts';
import { findRequestedJob, findRunUnderWay } from './find-requested-job.ts';
import type { FollowEvent } from './follow-event.ts';
import { followRun, type FindJob } from './follow-run.ts';
import type { RunEnd } from './run-end.ts';
import { readRunRequests, requestRun } from './run-request.ts';

const TOMORROW = { scheduling: { repeatInterval: '24h', beginImmediately: false } };

async function startCluster(nodes: readonly string[], isOn = true, manager: object = {}): Promise<ClusterInTest> {
  const server = await startClusterInTest(nodes);
  server.configure({ ...TOMORROW, ...manager }, { collector: { enabled: isOn } });
  return server;
}

function siteOf(server: ClusterInTest, signal = new AbortController().signal): ClusterSite {
  const client = clientOf(server.url);
  onTestFinished(() => client.close());
  return { client, namespace: NAMESPACE, call: { signal } };
}

interface Followed {
  readonly events: readonly FollowEvent[];
  readonly end: Promise<RunEnd>;
}

function follow(site: ClusterSite, options: { begin?: () => Promise<void>; find: FindJob; timeoutMs?: number }): Followed {
  const events: FollowEvent[] = [];
  const end = followRun(site, {
    begin: () => Promise.resolve(),
    timeoutMs: null,
    timing: SYSTEM_TIMING,
    ...options,
    onEvent: (event) => events.push(event),
  });
  // Its rejection is for who awaits it later.
  end.catch(() => undefined);
  return { events, end };
}

function askFor(site: ClusterSite, token: string, timeoutMs?: number): Followed {
  const begin = (): Promise<void> => requestRun(site, token);
  const find = findRequestedJob(token, () => readRunRequests(site));
  return follow(site, { begin, find, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
}

const attach = (site: ClusterSite): Followed => follow(site, { find: findRunUnderWay(() => readRunRequests(site)) });

describe('a run that is asked for', () => {
  test('is followed from its beginning to its end, node by node', async () => {
    const server = await startCluster(['a', 'b']);
    startManagerInTest(server);
    server.endPodsSoon();
    const { events, end } = askFor(siteOf(server), 'now');
    expect(await end).toMatchObject({
      job: server.jobsMade[0],
      phase: 'Completed',
      nodes: { desired: 2, succeeded: 2, failed: 0, skipped: 0 },
      removedImages: 2,
      reclaimedBytes: 20,
      endedNodes: [
        { node: 'a', state: 'succeeded', removedImages: 1, reclaimedBytes: 10 },
        { node: 'b', state: 'succeeded', removedImages: 1, reclaimedBytes: 10 },
      ],
    });
    expect(events[0]).toMatchObject({ kind: 'begun', job: { status: { desired: 2 } } });
    const ended = events.flatMap((event) => (event.kind === 'node-ended' ? [event.node.node] : []));
    expect(ended.sort()).toEqual(['a', 'b']);
    expect(events.at(-1)).toMatchObject({ kind: 'progress', progress: { succeeded: 2, running: [] } });
  });

  test('is seen to its end though its job is deleted at once then', async () => {
    const server = await startCluster(['a'], true, { imageJob: { cleanup: { delayOnSuccess: '0s' } } });
    startManagerInTest(server);
    server.endPodsSoon();
    expect(await askFor(siteOf(server), 'now').end).toMatchObject({ phase: 'Completed', removedImages: 1 });
    await soon(() => expect(server.jobs()).toEqual([]));
  });

  test('waits for the one that is under way, and says so; another who asks meanwhile gets the same one', async () => {
    const server = await startCluster(['a']);
    const site = siteOf(server);
    startManagerInTest(server);
    const before = askFor(site, 'before');
    await soon(() => expect(server.pods()).toHaveLength(1));
    const [first, second] = [askFor(site, 'first'), askFor(site, 'second')];
    const why = expect.stringContaining(`${server.jobsMade[0] ?? ''} is under way`) as string;
    await soon(() => expect(first.events).toContainEqual({ kind: 'waiting', why }));
    server.endPodsSoon();
    const ends = await Promise.all([before, first, second].map(({ end }) => end));
    expect(server.jobsMade).toHaveLength(2);
    expect(ends.map(({ job }) => job)).toEqual([server.jobsMade[0], server.jobsMade[1], server.jobsMade[1]]);
  });

  test('says that the manager refuses it', async () => {
    const server = await startCluster(['a'], false);
    startManagerInTest(server);
    const { end } = askFor(siteOf(server), 'now');
    await expect(end).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('components.collector.enabled') as string,
    });
  });

  test('that is taken back is not waited for', async () => {
    const server = await startCluster(['a']);
    const { end } = askFor(siteOf(server), 'now');
    await soon(() => expect(server.requests.some(({ method }) => method === 'PATCH')).toBe(true));
    server.configure(TOMORROW, { collector: { enabled: true } });
    await expect(end).rejects.toMatchObject({ code: 'refused', message: expect.stringContaining('taken back') as string });
  });

  test('says why it cannot begin', async () => {
    const server = await startCluster(['a']);
    const labels = { 'eraser.sh/exclude.list': 'true' };
    server.put('/configmaps', { metadata: { name: 'mine', namespace: NAMESPACE, labels }, data: { 'a.json': '{' } });
    startManagerInTest(server);
    const { events } = askFor(siteOf(server), 'now');
    await soon(() => expect(events).toContainEqual({ kind: 'waiting', why: expect.stringContaining('mine/a.json') as string }));
  });

  test('tells a node that fails, and why', async () => {
    const server = await startCluster(['a']);
    startManagerInTest(server);
    const { end } = askFor(siteOf(server), 'now');
    await soon(() => expect(server.pods()).toHaveLength(1));
    const [pod] = server.pods();
    if (pod === undefined) throw new Error('no pod');
    const terminated = { exitCode: 1, reason: 'Error', message: '{"message":"no runtime"}' };
    server.put('/pods', { ...pod, status: { phase: 'Failed', containerStatuses: [{ name: 'remover', state: { terminated } }] } });
    expect(await end).toMatchObject({
      phase: 'Failed',
      nodes: { failed: 1 },
      message: expect.stringContaining('a: remover exited with 1: no runtime') as string,
      endedNodes: [{ node: 'a', state: 'failed' }],
    });
  });
});

describe('a run that is not seen to its end', () => {
  test('goes on when its time is over, or its follower is interrupted, and is followed again', async () => {
    const server = await startCluster(['a']);
    startManagerInTest(server);
    const interrupt = new AbortController();
    const impatient = askFor(siteOf(server), 'now', 1_000);
    await expect(impatient.end).rejects.toMatchObject({ code: 'not-ready', message: 'After 1s the run is not over; it goes on' });
    const interrupted = attach(siteOf(server, interrupt.signal));
    await soon(() => expect(interrupted.events).toContainEqual(expect.objectContaining({ kind: 'begun' })));
    interrupt.abort(new Error('stopped'));
    await expect(interrupted.end).rejects.toThrow('stopped');
    const again = attach(siteOf(server));
    server.endPodsSoon();
    expect(await again.end).toMatchObject({ phase: 'Completed', removedImages: 1 });
    expect(server.jobsMade).toHaveLength(1);
  });

  test('is followed though its job is not made yet', async () => {
    const server = await startCluster(['a']);
    const state = {
      ...NEW_STATE,
      automatic: { job: 'imagejob-x', stage: 'intended' },
      lastRequest: { token: 'now', job: 'imagejob-x' },
    } as const;
    server.put('/configmaps', {
      metadata: { name: STATE_CONFIG_MAP, namespace: NAMESPACE },
      data: { [STATE_KEY]: formatManagerState(state) },
    });
    const { end } = attach(siteOf(server));
    await soon(() => expect(server.requests.some(({ path }) => path.endsWith(STATE_CONFIG_MAP))).toBe(true));
    startManagerInTest(server);
    server.endPodsSoon();
    expect(await end).toMatchObject({ job: 'imagejob-x', phase: 'Completed' });
  });

  test('is told when someone deletes it', async () => {
    const server = await startCluster(['a']);
    startManagerInTest(server);
    const { end } = askFor(siteOf(server), 'now');
    await soon(() => expect(server.pods()).toHaveLength(1));
    server.history.delete('eraser.sh/imagejobs', server.jobsMade[0] ?? '');
    await expect(end).rejects.toMatchObject({ message: expect.stringContaining('was deleted before its end') as string });
  });

  test('there is none to follow when none is under way or asked for', async () => {
    const server = await startCluster(['a']);
    await expect(attach(siteOf(server)).end).rejects.toMatchObject({ message: 'No run is under way, and none is asked for' });
  });

  test('who may not look at jobs is told at once, and asks for nothing', async () => {
    const server = await startCluster(['a']);
    const body = JSON.stringify({ kind: 'Status', code: 403, reason: 'Forbidden', message: 'imagejobs is forbidden' });
    server.failNext({ kind: 'answer', statusCode: 403, body }, ({ path }) => path.endsWith('/imagejobs'));
    await expect(askFor(siteOf(server), 'now').end).rejects.toMatchObject({ code: 'forbidden' });
    expect(server.requests.filter(({ method }) => method === 'PATCH')).toEqual([]);
  });
});
