import { stringify } from 'yaml';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { FakeApiServer } from '../../test/fakes/fake-api-server.ts';
import { clientOf } from '../../test/fakes/fake-cluster.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { SYSTEM_TIMING } from '../platform/timing.ts';
import { lead } from './bind/lead.ts';
import { settingsOf } from './bind/settings-of.ts';
import { createLog } from './log.ts';
import { parseFlags } from './parse-flags.ts';

const NAMESPACE = 'eraser-system';
const NODES = ['a', 'b'];

/** As the API server, it says when a custom resource was made, and of which generation it is. */
class ApiServer extends FakeApiServer {
  /** The pods that were made, by name, as often as they were. */
  readonly podsMade: string[] = [];
  readonly jobsMade: string[] = [];

  override put(collection: string, object: KubeObject): KubeObject {
    if (collection === '/pods' && object['status'] === undefined) this.podsMade.push(object.metadata.name);
    if (collection === 'eraser.sh/imagejobs') this.jobsMade.push(object.metadata.name);
    const made = { generation: 1, creationTimestamp: '2026-01-01T00:00:00Z' };
    return super.put(collection, { ...object, metadata: { ...made, ...object.metadata } });
  }

  /** What the kubelets do. */
  endPods(): void {
    for (const [, pod] of this.history.list('/pods')) {
      const message = '{"removed":1,"reclaimedBytes":10}';
      const containerStatuses = [{ name: 'remover', state: { terminated: { exitCode: 0, message } } }];
      if (pod['status'] === undefined) this.put('/pods', { ...pod, status: { phase: 'Succeeded', containerStatuses } });
    }
  }
}

type Kind = 'manual' | 'automatic';

async function startServer(kind: Kind): Promise<ApiServer> {
  const server = await new ApiServer().start();
  onTestFinished(() => server.stop());
  for (const name of NODES) {
    const status = {
      conditions: [{ type: 'Ready', status: 'True' }],
      nodeInfo: { containerRuntimeVersion: 'containerd://2.0', operatingSystem: 'linux' },
    };
    server.put('/nodes', { metadata: { name }, status });
  }
  const manager = { imageJob: { cleanup: { delayOnSuccess: '1h' } } };
  const components = { collector: { enabled: kind === 'automatic' } };
  const config = { apiVersion: 'eraser.sh/v1alpha3', kind: 'EraserConfig', manager, components };
  server.put('/configmaps', {
    metadata: { name: 'eraser-manager-config', namespace: NAMESPACE },
    data: { 'controller_manager_config.yaml': stringify(config) },
  });
  if (kind === 'automatic') return server;
  server.put('eraser.sh/imagelists', {
    apiVersion: 'eraser.sh/v1',
    kind: 'ImageList',
    metadata: { name: 'imagelist' },
    spec: { images: ['docker.io/library/nothing:1'] },
  });
  return server;
}

interface Running {
  /** How many writes were begun. */
  readonly writes: () => number;
  /** Resolves when it does nothing any more. */
  stop(): Promise<void>;
}

/** A controller that dies before its write number `diesAt`. */
function startManager(server: ApiServer, diesAt = Infinity): Running & { readonly died: Promise<void> } {
  const client = clientOf(server.url, { timing: SYSTEM_TIMING });
  const stop = new AbortController();
  const { promise: died, resolve: onDeath } = Promise.withResolvers<undefined>();
  let writes = 0;
  const isHeld = (): boolean => {
    if (stop.signal.aborted) return false;
    writes += 1;
    if (writes < diesAt) return true;
    stop.abort();
    onDeath(undefined);
    return false;
  };
  const flags = parseFlags(['--worker-image=registry.example/worker:1', '--max-parallel=1']);
  const running = lead(
    {
      client,
      settings: settingsOf({ flags, namespace: NAMESPACE, env: {}, mountedText: null }),
      instance: 'test',
      timing: SYSTEM_TIMING,
      wallNow: Date.now,
      log: createLog({ write: () => undefined, now: Date.now, least: () => 'error' }),
      onStart: () => undefined,
    },
    { signal: stop.signal, isHeld, term: 1 },
  ).catch(() => undefined);
  return {
    writes: () => writes,
    died,
    stop: async () => {
      stop.abort();
      await running;
      await client.close();
    },
  };
}

/** What the manager has stored of runs that go on. */
function underWay(server: ApiServer): unknown {
  const { data } = (server.history.get('/configmaps', `${NAMESPACE}/eraser-manager-state`) ?? {}) as { data?: Record<string, string> };
  const state = JSON.parse(data?.['state.json'] ?? '{}') as { automatic?: unknown; manual?: unknown };
  return state.automatic ?? state.manual ?? (server.jobsMade.length === 0 ? 'not begun' : null);
}

async function untilDone(server: ApiServer): Promise<void> {
  await vi.waitFor(
    () => {
      server.endPods();
      expect(server.history.list('eraser.sh/imagejobs')[0]?.[1]['status']).toMatchObject({ phase: 'Completed' });
      expect(underWay(server)).toBeNull();
      expect(server.history.list('/pods')).toEqual([]);
    },
    { timeout: 20_000, interval: 10 },
  );
}

function expectOneRun(server: ApiServer, kind: Kind): void {
  expect([...server.podsMade].sort().map((name) => name.replace(/-[0-9a-f]{10}$/, ''))).toEqual(['eraser-a', 'eraser-b']);
  expect(server.jobsMade).toHaveLength(1);
  const [, job] = server.history.list('eraser.sh/imagejobs')[0] ?? [];
  expect(job?.['status']).toMatchObject({ phase: 'Completed', desired: 2, succeeded: 2, removedImages: 2 });
  if (kind === 'automatic') return;
  const status = { success: 2, failed: 0, skipped: 0, removedImages: 2, reclaimedBytes: 20, timestamp: expect.any(String) as string };
  expect(server.history.get('eraser.sh/imagelists', 'imagelist')?.['status']).toMatchObject(status);
}

describe.each(['manual', 'automatic'] as const)('a run: %s', (kind) => {
  test(
    'is the same one whatever write its controller dies before, with no pod twice and no result lost',
    { timeout: 120_000 },
    async () => {
      const whole = await startServer(kind);
      const undisturbed = startManager(whole);
      await untilDone(whole);
      await undisturbed.stop();
      expectOneRun(whole, kind);
      const writes = undisturbed.writes();
      expect(writes).toBeGreaterThan(12);

      for (let diesAt = 1; diesAt <= writes; diesAt++) {
        const server = await startServer(kind);
        const first = startManager(server, diesAt);
        const kubelets = setInterval(() => server.endPods(), 10);
        // Writes that depend on how events come together may be fewer this time.
        await Promise.race([first.died, untilDone(server).catch(() => undefined)]);
        await first.stop();
        clearInterval(kubelets);
        const second = startManager(server);
        await untilDone(server);
        await second.stop();
        expectOneRun(server, kind);
      }
    },
  );
});
