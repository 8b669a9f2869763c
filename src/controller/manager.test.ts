import { describe, expect, onTestFinished, test } from 'vitest';
import { type ClusterInTest, soon, startClusterInTest, startManagerInTest } from '../../test/fakes/manager-in-fake-cluster.ts';

const NODES = ['a', 'b'];
const ONE_AT_ONCE = { settings: { maxParallel: { kind: 'count', count: 1 } } } as const;

type Kind = 'manual' | 'automatic' | 'requested';
/** Of a requested run: none is due before it. */
const TOMORROW = { scheduling: { repeatInterval: '24h', beginImmediately: false } };

async function startServer(kind: Kind): Promise<ClusterInTest> {
  const server = await startClusterInTest(NODES);
  const scheduling = kind === 'requested' ? TOMORROW : {};
  server.configure({ imageJob: { cleanup: { delayOnSuccess: '1h' } }, ...scheduling }, { collector: { enabled: kind !== 'manual' } });
  if (kind === 'requested') server.requestRun('now');
  if (kind === 'manual') server.applyList(['docker.io/library/nothing:1']);
  return server;
}

function untilDone(server: ClusterInTest): Promise<void> {
  return soon(() => {
    server.endPods();
    expect(server.jobs()[0]?.['status']).toMatchObject({ phase: 'Completed' });
    expect(server.state()).toMatchObject({ automatic: null, manual: null });
    expect(server.pods()).toEqual([]);
  });
}

function expectOneRun(server: ClusterInTest, kind: Kind): void {
  expect([...server.podsMade].sort().map((name) => name.replace(/-[0-9a-f]{10}$/, ''))).toEqual(['eraser-a', 'eraser-b']);
  expect(server.jobsMade).toHaveLength(1);
  expect(server.jobs()[0]?.['status']).toMatchObject({ phase: 'Completed', desired: 2, succeeded: 2, removedImages: 2 });
  const request = kind === 'requested' ? { token: 'now', job: server.jobsMade[0] } : null;
  expect(server.state()).toMatchObject({ lastRequest: request });
  if (kind === 'requested') expect(server.jobs()[0]?.metadata['annotations']).toMatchObject({ 'eraser.sh/run-requested': 'now' });
  if (kind !== 'manual') return;
  const status = { success: 2, failed: 0, skipped: 0, removedImages: 2, reclaimedBytes: 20, timestamp: expect.any(String) as string };
  expect(server.list()?.['status']).toMatchObject(status);
}

describe.each(['manual', 'automatic', 'requested'] as const)('a run: %s', (kind) => {
  test(
    'is the same one whatever write its controller dies before, with no pod twice and no result lost',
    { timeout: 120_000 },
    async () => {
      const whole = await startServer(kind);
      const undisturbed = startManagerInTest(whole, ONE_AT_ONCE);
      await untilDone(whole);
      await undisturbed.stop();
      expectOneRun(whole, kind);
      const writes = undisturbed.writes();
      expect(writes).toBeGreaterThan(12);

      for (let diesAt = 1; diesAt <= writes; diesAt++) {
        const server = await startServer(kind);
        const first = startManagerInTest(server, { ...ONE_AT_ONCE, diesAt });
        const kubelets = setInterval(() => server.endPods(), 10);
        onTestFinished(() => clearInterval(kubelets));
        // Writes that depend on how events come together may be fewer this time.
        await Promise.race([first.died, untilDone(server).catch(() => undefined)]);
        await first.stop();
        clearInterval(kubelets);
        const second = startManagerInTest(server, ONE_AT_ONCE);
        await untilDone(server);
        await second.stop();
        expectOneRun(server, kind);
      }
    },
  );
});
