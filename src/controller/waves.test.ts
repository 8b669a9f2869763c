import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  type ClusterInTest,
  type ManagerInTest,
  fastTiming,
  nodeObject,
  soon,
  startClusterInTest,
  startManagerInTest,
} from '../../test/fakes/manager-in-fake-cluster.ts';
import type { Condition } from '../api/condition.ts';
import type { KubeObject } from '../kube/kube-object.ts';

const LIST = ['docker.io/library/nothing:1'];
const KEPT = { cleanup: { delayOnSuccess: '1h', delayOnFailure: '1h' } };
/** An hour passes in some seconds. */
const FAST = fastTiming(30);
const BEGUN = Date.parse('2026-11-22T12:00:00Z');
const BEGUN_AT = performance.now();
const NODES = ['a', 'b', 'c', 'd', 'e'];

const statusOf = (server: ClusterInTest): Record<string, unknown> => (server.jobs()[0]?.['status'] ?? {}) as Record<string, unknown>;
const condition = (server: ClusterInTest, type: string): Condition | undefined =>
  (statusOf(server)['conditions'] as Condition[] | undefined)?.find((found) => found.type === type);
const baseOf = (name: string): string => name.replace(/^eraser-(.*)-[0-9a-f]{10}$/, '$1');
const bases = (server: ClusterInTest): string[] => server.podsMade.map(baseOf).sort();
const waveOf = ({ metadata }: KubeObject): number => Number((metadata['labels'] as Record<string, string>)['eraser.sh/wave']);

interface CarryingOut {
  /** Infinity: the first manager does not die. */
  readonly diesAt: number;
  readonly isDone: () => Promise<void>;
  readonly startNext: () => ManagerInTest;
}

/** Until all is done, by the first manager or, when that has died, by the next one. */
async function untilCarriedOut(first: ManagerInTest, { diesAt, isDone, startNext }: CarryingOut): Promise<void> {
  await Promise.race([first.died, isDone()]);
  await first.stop();
  if (diesAt === Infinity) return;
  const second = startNext();
  await isDone();
  await second.stop();
}

describe('a run with pauses between its waves', () => {
  const PAUSE_MS = 150;

  async function startServer(pause: string, nodes = NODES): Promise<ClusterInTest> {
    const server = await startClusterInTest(nodes);
    server.configure({ imageJob: { ...KEPT, maxParallel: 2, waves: { pause } } });
    server.applyList(LIST);
    return server;
  }

  /** Kubelets that end each pod at once, and what they saw: when a wave was first seen, and when a pod of it was ended last. */
  function watchWaves(server: ClusterInTest) {
    const waves = new Map<number, { nodes: Set<string>; firstSeenAt: number; lastEndedAt: number }>();
    const kubelets = setInterval(() => {
      const now = performance.now();
      for (const pod of server.pods()) {
        if (pod['status'] !== undefined) continue;
        const wave = waves.get(waveOf(pod)) ?? { nodes: new Set<string>(), firstSeenAt: now, lastEndedAt: now };
        wave.nodes.add(baseOf(pod.metadata.name));
        waves.set(waveOf(pod), { ...wave, lastEndedAt: now });
      }
      server.endPods();
    }, 5);
    onTestFinished(() => clearInterval(kubelets));
    return { waves, stop: () => clearInterval(kubelets) };
  }

  test('tells of the pause, and makes no pod in it', async () => {
    const server = await startServer('1h');
    startManagerInTest(server);
    await soon(() => expect(bases(server)).toEqual(['a', 'b']));
    const [first] = server.pods();
    if (first !== undefined) server.put('/pods', { ...first, status: { phase: 'Succeeded' } });
    await sleep(200);
    expect(bases(server)).toEqual(['a', 'b']);
    server.endPods();
    await sleep(500);
    expect(bases(server)).toEqual(['a', 'b']);
    expect(statusOf(server)).toMatchObject({ phase: 'Running' });
  });

  test('tells of the pause in its job', async () => {
    const server = await startServer('1h');
    server.endPodsSoon();
    // Told within the time that a status of a run that goes on may be old.
    const manager = startManagerInTest(server, { timing: FAST });
    await soon(() => expect(condition(server, 'Paused')).toMatchObject({ status: 'True', reason: 'BetweenWaves' }));
    expect(condition(server, 'Paused')?.message).toMatch(/^Wave 1 has ended/);
    expect(manager.lines.filter(({ message }) => message === 'run pauses between waves')).toHaveLength(1);
    await soon(() => expect(statusOf(server)).toMatchObject({ phase: 'Completed', succeeded: 5 }));
    expect(condition(server, 'Paused')).toBeUndefined();
  });

  const THREE = ['a', 'b', 'c'];

  test('keeps the whole pause between any two waves, whatever write its controller dies before', { timeout: 240_000 }, async () => {
    const untilDone = (server: ClusterInTest): Promise<void> =>
      soon(() => {
        expect(statusOf(server)).toMatchObject({ phase: 'Completed', desired: 3, succeeded: 3 });
        expect(server.state()).toMatchObject({ manual: null });
      });
    const writesOf = async (diesAt: number): Promise<number> => {
      const server = await startServer(`${String(PAUSE_MS)}ms`, THREE);
      const { waves, stop } = watchWaves(server);
      const first = startManagerInTest(server, { diesAt });
      await untilCarriedOut(first, { diesAt, isDone: () => untilDone(server), startNext: () => startManagerInTest(server) });
      stop();
      expect(bases(server)).toEqual(THREE);
      const inOrder = [...waves].sort(([a], [b]) => a - b);
      // One that its controller did not begin in full, and that ended before the next controller came, is a small one.
      expect(inOrder.length).toBeGreaterThanOrEqual(2);
      expect(inOrder.length).toBeLessThanOrEqual(3);
      for (const [at, [, { nodes, firstSeenAt }]] of inOrder.entries()) {
        expect(nodes.size).toBeLessThanOrEqual(2);
        const before = inOrder[at - 1]?.[1].lastEndedAt ?? -Infinity;
        expect(firstSeenAt - before).toBeGreaterThan(PAUSE_MS - 20);
      }
      return first.writes();
    };
    const writes = await writesOf(Infinity);
    expect(writes).toBeGreaterThan(12);
    for (let diesAt = 1; diesAt <= writes; diesAt++) await writesOf(diesAt);
  });
});

describe('a run of which more nodes fail than may', () => {
  async function startServer(fields: object): Promise<ClusterInTest> {
    const server = await startClusterInTest(NODES);
    server.configure({ imageJob: { ...KEPT, maxParallel: 2, ...fields } });
    server.applyList(LIST);
    return server;
  }

  /** A kubelet that ends the pods of these nodes with a failure, all others well. */
  function failOn(server: ClusterInTest, names: readonly string[]): () => void {
    const kubelets = setInterval(() => {
      for (const pod of server.pods())
        if (pod['status'] === undefined && names.includes(baseOf(pod.metadata.name)))
          server.put('/pods', { ...pod, status: { phase: 'Failed', reason: 'ErrImagePull' } });
      server.endPods();
    }, 5);
    const stop = (): void => clearInterval(kubelets);
    onTestFinished(stop);
    return stop;
  }

  test('tells so at once, lets those in flight end, begins with no others, and has failed, whatever the ratio', async () => {
    const server = await startServer({ maxFailed: 0, successRatio: 0 });
    const manager = startManagerInTest(server);
    await soon(() => expect(bases(server)).toEqual(['a', 'b']));
    const pod = server.pods().find(({ metadata }) => baseOf(metadata.name) === 'a');
    if (pod !== undefined) server.put('/pods', { ...pod, status: { phase: 'Failed', reason: 'ErrImagePull' } });
    await soon(() =>
      expect(condition(server, 'FailureTarget')).toMatchObject({
        status: 'True',
        reason: 'TooManyNodesFailed',
        message: '1 of 5 nodes failed, more than manager.imageJob.maxFailed allows (0): no others are begun with.',
      }),
    );
    expect(statusOf(server)).toMatchObject({ phase: 'Running', desired: 5, failed: 1, skipped: 3, skippedByReason: { notStarted: 3 } });
    const note = expect.stringContaining('1 of 5 nodes failed') as string;
    expect(manager.events).toContainEqual(expect.objectContaining({ type: 'Warning', reason: 'TooManyNodesFailed', note }));
    server.endPods();
    await soon(() => expect(statusOf(server)).toMatchObject({ phase: 'Failed', succeeded: 1, failed: 1, skipped: 3 }));
    expect(condition(server, 'Failed')).toMatchObject({ status: 'True', reason: 'TooManyNodesFailed' });
    expect(condition(server, 'Failed')?.message).toMatch(
      /^1 of 5 nodes failed, .+\. 1 of 5 nodes succeeded, 1 failed, 3 were skipped\. Failed: a: /,
    );
    expect(bases(server)).toEqual(['a', 'b']);
    await soon(() => expect(server.list()?.['status']).toMatchObject({ success: 1, failed: 1, skipped: 3 }));
    expect(manager.events.filter(({ reason }) => reason === 'TooManyNodesFailed')).toHaveLength(1);
  });

  test('goes over all nodes where as many fail as may', async () => {
    const server = await startServer({ maxFailed: '40%' });
    failOn(server, ['b', 'd']);
    startManagerInTest(server);
    await soon(() => expect(statusOf(server)).toMatchObject({ phase: 'Failed', succeeded: 3, failed: 2, skipped: 0 }));
    expect(condition(server, 'Failed')).toMatchObject({ reason: 'TooFewNodesSucceeded' });
    expect(condition(server, 'FailureTarget')).toBeUndefined();
  });

  test('counts pods that are refused, of which there are as many at most as may be in flight', async () => {
    const server = await startServer({ maxFailed: 1 });
    const body = JSON.stringify({ kind: 'Status', code: 422, reason: 'Invalid', message: 'no such pod' });
    for (let times = 0; times < 9; times += 1)
      server.failNext({ kind: 'answer', statusCode: 422, body }, ({ method, path }) => method === 'POST' && path.endsWith('/pods'));
    startManagerInTest(server);
    await soon(() => expect(statusOf(server)).toMatchObject({ phase: 'Failed', failed: 2, skippedByReason: { notStarted: 3 } }));
    expect(server.podsMade).toEqual([]);
  });

  test('stays stopped, with one result for each node, whatever write its controller dies before', { timeout: 240_000 }, async () => {
    const untilDone = (server: ClusterInTest): Promise<void> =>
      soon(() => {
        expect(statusOf(server)).toMatchObject({ phase: 'Failed', desired: 5 });
        expect(server.state()).toMatchObject({ manual: null });
      });
    const writesOf = async (diesAt: number): Promise<number> => {
      const server = await startServer({ maxFailed: 1 });
      const stop = failOn(server, ['a', 'b']);
      const first = startManagerInTest(server, { diesAt });
      await untilCarriedOut(first, { diesAt, isDone: () => untilDone(server), startNext: () => startManagerInTest(server) });
      stop();
      const { succeeded, failed, skipped } = statusOf(server) as Record<'succeeded' | 'failed' | 'skipped', number>;
      expect(failed).toBe(2);
      expect(succeeded + failed + skipped).toBe(5);
      // One may have been begun with between the two.
      expect(skipped).toBeGreaterThanOrEqual(2);
      expect(server.podsMade).toHaveLength(5 - skipped);
      expect(new Set(server.podsMade).size).toBe(server.podsMade.length);
      return first.writes();
    };
    const writes = await writesOf(Infinity);
    expect(writes).toBeGreaterThan(8);
    for (let diesAt = 1; diesAt <= writes; diesAt++) await writesOf(diesAt);
  });
});

describe('nodes that come late', () => {
  const labelsOf = (server: ClusterInTest): unknown[] =>
    server.jobs().map(({ metadata }) => (metadata['labels'] as Record<string, string>)['eraser.sh/late-nodes-of']);
  const phases = (server: ClusterInTest): unknown[] => server.jobs().map((job) => (job['status'] as { phase?: string } | undefined)?.phase);
  const SOMETIME = { imageJob: { ...KEPT, lateNodes: { within: '24h' } }, scheduling: { repeatInterval: '1000h' } };
  /** A minute passes in 60 milliseconds. */
  const now = (): number => BEGUN + (performance.now() - BEGUN_AT) * 1_000;

  async function startServer(manager: object): Promise<ClusterInTest> {
    const server = await startClusterInTest(['a']);
    server.put('/nodes', nodeObject('b', { ready: false }));
    server.put('/nodes', nodeObject('c', { ready: false }));
    server.configure(manager, { collector: { enabled: true } });
    server.endPodsSoon();
    return server;
  }

  async function untilFirstEnded(server: ClusterInTest): Promise<void> {
    await soon(() => expect(phases(server)).toEqual(['Completed']));
    await soon(() => expect(server.state()).toMatchObject({ automatic: null, hasCleaned: true }));
  }

  test('have one run of their own, over them alone', { timeout: 60_000 }, async () => {
    const server = await startServer({ imageJob: { ...KEPT, lateNodes: { within: '10s' } } });
    startManagerInTest(server);
    await untilFirstEnded(server);
    expect(bases(server)).toEqual(['a']);
    expect(server.state()).toMatchObject({ late: { away: ['b', 'c'], had: [] } });
    const schedule = server.state()['schedule'];
    server.put('/nodes', nodeObject('b'));
    const joined = nodeObject('d');
    server.put('/nodes', { ...joined, metadata: { ...joined.metadata, creationTimestamp: new Date(Date.now() + 2_000).toISOString() } });
    await soon(() => expect(phases(server)).toEqual(['Completed', 'Completed']));
    const [first, second] = server.jobs();
    expect(labelsOf(server)).toEqual([undefined, first?.metadata.name]);
    expect(second?.['status']).toMatchObject({ desired: 2, succeeded: 2 });
    expect(bases(server)).toEqual(['a', 'b', 'd']);
    await soon(() => expect(server.state()).toMatchObject({ automatic: null, late: { had: ['b', 'd'] }, schedule }));
    // One that goes and comes again had its run.
    server.put('/nodes', nodeObject('b', { ready: false }));
    server.put('/nodes', nodeObject('b'));
    await sleep(2_500);
    expect(bases(server)).toEqual(['a', 'b', 'd']);
    expect(server.jobsMade).toHaveLength(2);
  });

  test('wait for the next run where nothing is said, when they come too late, and after a run that was stopped', async () => {
    const [unsaid, tooLate, stopped] = await Promise.all([
      startServer({ imageJob: KEPT }),
      startServer({ imageJob: { ...KEPT, lateNodes: { within: '1s' } } }),
      startServer({ imageJob: { ...KEPT, maxFailed: 0, lateNodes: { within: '1h' } } }),
    ]);
    const body = JSON.stringify({ kind: 'Status', code: 422, reason: 'Invalid', message: 'no such pod' });
    stopped.failNext({ kind: 'answer', statusCode: 422, body }, ({ method, path }) => method === 'POST' && path.endsWith('/pods'));
    for (const server of [unsaid, tooLate, stopped]) startManagerInTest(server, { timing: fastTiming(10_000) });
    await Promise.all([untilFirstEnded(unsaid), untilFirstEnded(tooLate)]);
    await soon(() => expect(condition(stopped, 'Failed')).toMatchObject({ reason: 'TooManyNodesFailed' }));
    await soon(() => expect(stopped.state()).toMatchObject({ automatic: null }));
    for (const server of [unsaid, stopped]) {
      expect(server.state()).toMatchObject({ late: null });
      server.put('/nodes', nodeObject('b'));
    }
    await soon(() => expect(tooLate.state()).toMatchObject({ late: null }));
    tooLate.put('/nodes', nodeObject('b'));
    await sleep(1_000);
    for (const server of [unsaid, tooLate, stopped]) expect(server.jobsMade).toHaveLength(1);
  });

  test('have one run, whatever write its controller dies before', { timeout: 240_000 }, async () => {
    const untilDone = (server: ClusterInTest): Promise<void> =>
      soon(() => {
        expect(phases(server)).toEqual(['Completed', 'Completed']);
        expect(server.state()).toMatchObject({ automatic: null });
      });
    const writesOf = async (diesAt: number): Promise<{ readonly before: number; readonly all: number }> => {
      const server = await startServer(SOMETIME);
      const first = startManagerInTest(server, { diesAt, timing: FAST, now });
      let before = null as number | null;
      const back = setInterval(() => {
        if (before !== null || server.state()['hasCleaned'] !== true) return;
        before = first.writes();
        server.put('/nodes', nodeObject('b'));
      }, 10);
      onTestFinished(() => clearInterval(back));
      const startNext = (): ManagerInTest => startManagerInTest(server, { timing: FAST, now });
      await untilCarriedOut(first, { diesAt, isDone: () => untilDone(server), startNext });
      clearInterval(back);
      expect(bases(server)).toEqual(['a', 'b']);
      expect(server.jobsMade).toHaveLength(2);
      expect(server.state()).toMatchObject({ late: { had: ['b'] } });
      return { before: before ?? 0, all: first.writes() };
    };
    const { before, all } = await writesOf(Infinity);
    expect(all - before).toBeGreaterThan(8);
    // The end of the run that did not get to them, and all of theirs.
    for (let diesAt = before - 1; diesAt <= all; diesAt++) await writesOf(diesAt);
  });
});
