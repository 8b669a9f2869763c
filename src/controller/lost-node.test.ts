import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import {
  type ClusterInTest,
  fastTiming,
  nodeObject,
  soon,
  startClusterInTest,
  startManagerInTest,
} from '../../test/fakes/manager-in-fake-cluster.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import type { Timing } from '../platform/timing.ts';

const NODES = Array.from({ length: 100 }, (_, at) => `node-${String(at).padStart(3, '0')}`);
const DEAD = 'node-050';
const FAST = fastTiming(300);
const MINUTE = 60_000;

/** How often it is asked what time it is: each turn of the queue asks, and so does each look at a run. */
function counting(timing: Timing): Timing & { readonly asked: () => number } {
  let times = 0;
  const now = (): number => {
    times += 1;
    return timing.now();
  };
  return { ...timing, now, asked: () => times };
}

const isOnDead = ({ metadata }: KubeObject): boolean => metadata.name.startsWith(`eraser-${DEAD}-`);

/** Kubelets that end their pods after a moment, but for that of the dead node: its pod runs on, and a deletion only marks it. */
function startKubelets(server: ClusterInTest): void {
  const containers = (state: object): object => ({ containerStatuses: [{ name: 'remover', state }] });
  const kubelets = setInterval(() => {
    for (const pod of server.pods()) {
      if (isOnDead(pod)) {
        if (pod['status'] === undefined) server.put('/pods', { ...pod, status: { phase: 'Running', ...containers({ running: {} }) } });
      } else if (pod['status'] === undefined)
        server.put('/pods', { ...pod, status: { phase: 'Succeeded', ...containers({ terminated: { exitCode: 0 } }) } });
    }
  }, 20);
  onTestFinished(() => clearInterval(kubelets));
  for (let times = 0; times < 50; times += 1)
    server.failNext({ kind: 'answer', statusCode: 200, body: '{}' }, ({ method, path }) => {
      if (method !== 'DELETE' || !path.includes('/pods')) return false;
      const one = path.split('/').at(-1) ?? '';
      for (const pod of server.pods()) {
        if (one !== 'pods' && pod.metadata.name !== one) continue;
        if (isOnDead(pod)) server.put('/pods', { ...pod, metadata: { ...pod.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } });
        else server.history.delete('/pods', `${String(pod.metadata['namespace'])}/${pod.metadata.name}`);
      }
      return true;
    });
}

test(
  'one dead node among a hundred costs few turns and calls, blocks its run for its time alone, and gets no second pod',
  { timeout: 180_000 },
  async () => {
    const server = await startClusterInTest(NODES);
    server.configure({ imageJob: { maxParallel: 50, cleanup: { delayOnSuccess: '1000h', delayOnFailure: '1000h' } } });
    startKubelets(server);
    const timing = counting(FAST);
    startManagerInTest(server, { timing, settings: { timeouts: { startMs: 5 * MINUTE, runMs: 15 * MINUTE }, nodeGraceMs: 5 * MINUTE } });
    await soon(() => expect(server.state()['conditions']).toBeDefined());
    const statusOf = (at: number): unknown => server.jobs()[at]?.['status'];
    const podsOnDead = (): KubeObject[] => server.pods().filter(isOnDead);

    const before = server.requests.length;
    server.applyList(['docker.io/library/nothing:1']);
    await soon(() => expect(podsOnDead().map((pod) => (pod['status'] as { phase?: string } | undefined)?.phase)).toEqual(['Running']));
    server.put('/nodes', nodeObject(DEAD, { ready: false }));
    await soon(() => expect(statusOf(0)).toMatchObject({ phase: 'Running', succeeded: 99 }));
    const askedBefore = timing.asked();
    const since = timing.now();
    await soon(() => expect(statusOf(0)).toMatchObject({ phase: 'Failed', succeeded: 99, failed: 1 }));
    const minutes = (timing.now() - since) / MINUTE;
    const asked = timing.asked() - askedBefore;
    expect(asked, `in ${minutes.toFixed(1)} minutes`).toBeLessThan(60 * (minutes + 2));
    expect(JSON.stringify(statusOf(0))).toMatch(/its node was lost: not ready/);
    expect(server.requests.length - before).toBeLessThanOrEqual(1.25 * NODES.length + 70);
    await soon(() => expect(podsOnDead()[0]?.metadata['deletionTimestamp']).toBeDefined());

    // The next run leaves it out, as long as it is not ready.
    server.applyList(['docker.io/library/nothing:2'], {
      metadata: { name: 'imagelist', generation: 2 },
      status: server.list()?.['status'],
    });
    await soon(() => expect(statusOf(1)).toMatchObject({ phase: 'Completed', succeeded: 99, skippedByReason: { notReady: 1 } }));

    // It is ready again, and the pod is still on its way out: the node is held, and fails in its time.
    server.put('/nodes', nodeObject(DEAD));
    server.applyList(['docker.io/library/nothing:3'], {
      metadata: { name: 'imagelist', generation: 3 },
      status: server.list()?.['status'],
    });
    await soon(() => expect(statusOf(2)).toMatchObject({ phase: 'Running', succeeded: 99 }));
    const askedHeld = timing.asked();
    await sleep(1_500);
    expect(timing.asked() - askedHeld).toBeLessThan(60 * 7);
    expect(podsOnDead()).toHaveLength(1);
    await soon(() => expect(statusOf(2)).toMatchObject({ phase: 'Failed', succeeded: 99, failed: 1 }));
    expect(JSON.stringify(statusOf(2))).toMatch(/the worker pod of another run did not leave the node/);
    expect(server.podsMade.filter((name) => name.startsWith(`eraser-${DEAD}-`))).toHaveLength(1);
  },
);
