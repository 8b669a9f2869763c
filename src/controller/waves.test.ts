import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type ClusterInTest, fastTiming, soon, startClusterInTest, startManagerInTest } from '../../test/fakes/manager-in-fake-cluster.ts';
import type { Condition } from '../api/condition.ts';
import type { KubeObject } from '../kube/kube-object.ts';

const LIST = ['docker.io/library/nothing:1'];
const KEPT = { cleanup: { delayOnSuccess: '1h', delayOnFailure: '1h' } };
/** An hour passes in some seconds. */
const FAST = fastTiming(30);
const NODES = ['a', 'b', 'c', 'd', 'e'];

const statusOf = (server: ClusterInTest): Record<string, unknown> => (server.jobs()[0]?.['status'] ?? {}) as Record<string, unknown>;
const condition = (server: ClusterInTest, type: string): Condition | undefined =>
  (statusOf(server)['conditions'] as Condition[] | undefined)?.find((found) => found.type === type);
const baseOf = (name: string): string => name.replace(/^eraser-(.*)-[0-9a-f]{10}$/, '$1');
const bases = (server: ClusterInTest): string[] => server.podsMade.map(baseOf).sort();
const waveOf = ({ metadata }: KubeObject): number => Number((metadata['labels'] as Record<string, string>)['eraser.sh/wave']);

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
      await Promise.race([first.died, untilDone(server)]);
      await first.stop();
      if (diesAt < Infinity) {
        const second = startManagerInTest(server);
        await untilDone(server);
        await second.stop();
      }
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
