import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import type { SeenRequest } from '../../test/fakes/fake-api-server.ts';
import { fastTiming, soon, startClusterInTest, startManagerInTest, type ClusterInTest } from '../../test/fakes/manager-in-fake-cluster.ts';

const NODES = Array.from({ length: 100 }, (_, at) => `node-${String(at).padStart(3, '0')}`);

const FAST = fastTiming(600);

/** Kubelets that begin with a pod at once, and end it after 20 to 60 seconds on the fast clock. */
function startKubelets(server: ClusterInTest): void {
  const endsAt = new Map<string, number>();
  const kubelets = setInterval(() => {
    const now = FAST.now();
    for (const pod of server.pods()) {
      const { name } = pod.metadata;
      const due = endsAt.get(name);
      const containers = (state: object): object => ({ containerStatuses: [{ name: 'remover', state }] });
      if (due === undefined) {
        endsAt.set(name, now + 20_000 + Math.random() * 40_000);
        server.put('/pods', { ...pod, status: { phase: 'Running', ...containers({ running: {} }) } });
      } else if (now >= due && (pod['status'] as { phase: string }).phase === 'Running') {
        server.put('/pods', { ...pod, status: { phase: 'Succeeded', ...containers({ terminated: { exitCode: 0 } }) } });
      }
    }
  }, 5);
  onTestFinished(() => clearInterval(kubelets));
}

const describeRequest = ({ method, path, query }: SeenRequest): string =>
  `${query.get('watch') === 'true' ? 'WATCH' : method} ${path.replaceAll(/(imagejob|eraser-node|node-\d)[\w.-]*/g, '…')}`;

function tally(requests: readonly SeenRequest[]): Record<string, number> {
  return Object.fromEntries([...Map.groupBy(requests, describeRequest)].map(([what, of]) => [what, of.length]));
}

test('a manual run over 100 nodes asks little of the API server', { timeout: 60_000 }, async () => {
  const server = await startClusterInTest(NODES);
  server.configure({ imageJob: { cleanup: { delayOnSuccess: '0s' } } });
  startKubelets(server);
  startManagerInTest(server, { timing: FAST, settings: { timeouts: { startMs: 300_000, runMs: 7_200_000 }, nodeGraceMs: 300_000 } });
  await soon(() => expect(server.state()['conditions']).toBeDefined());
  await sleep(200);
  const before = server.requests.length;
  const begunAt = FAST.now();
  server.applyList(['docker.io/library/nothing:1']);
  await soon(() => expect(server.jobsMade).toHaveLength(1));
  await soon(() => expect(server.jobs()).toEqual([]));
  expect(server.podsMade).toHaveLength(100);
  expect(server.list()?.['status']).toMatchObject({ success: 100, failed: 0 });
  const requests = server.requests.slice(before);
  const minutes = (FAST.now() - begunAt) / 60_000;
  const told = `${JSON.stringify(tally(requests), null, 1)} in ${minutes.toFixed(1)} minutes`;
  expect(minutes, told).toBeGreaterThan(4);
  // Beside these, the coordinator lists the pods of each node: 2.5 for each node and 50 in all.
  expect(requests.length, told).toBeLessThanOrEqual(1.25 * NODES.length + 50);
  expect(requests.filter(({ method, path }) => method === 'POST' && path.endsWith('/pods')).length, told).toBe(100);
});
