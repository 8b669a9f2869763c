import { createHash } from 'node:crypto';
import { onTestFinished, vi } from 'vitest';
import { bindClusterApi } from '../../src/controller/bind/bind-cluster-api.ts';
import { startCopies } from '../../src/controller/bind/start-copies.ts';
import { Manager, type ManagerSettings } from '../../src/controller/manager.ts';
import type { FoundRun } from '../../src/controller/image-job/find-run.ts';
import type { EventFacts, ReadReported, RecordRun, RunFacts } from '../../src/controller/ports.ts';
import { EventRecorder } from '../../src/kube/event-recorder.ts';
import type { KubeClient } from '../../src/kube/kube-client.ts';
import type { KubeObject } from '../../src/kube/kube-object.ts';
import { parseDuration } from '../../src/platform/duration.ts';
import { errorMessage } from '../../src/platform/errors.ts';
import { parseQuantity } from '../../src/platform/quantity.ts';
import { parseYaml } from '../../src/platform/parse-yaml.ts';
import { SYSTEM_TIMING, type Timing } from '../../src/platform/timing.ts';
import { OWN_CONTAINERS } from './cluster.ts';
import { FakeApiServer } from './fake-api-server.ts';
import { clientOf } from './fake-cluster.ts';
import { logInTest, type LoggedLine } from './log-in-test.ts';

export const NAMESPACE = 'eraser-system';

/** A fake API server that says of custom resources what the real one does, and notes what a manager makes. */
export class ClusterInTest extends FakeApiServer {
  /** By name, as often as they were made. */
  readonly podsMade: string[] = [];
  readonly jobsMade: string[] = [];

  override put(collection: string, object: KubeObject): KubeObject {
    if (collection === '/pods' && object['status'] === undefined) this.podsMade.push(object.metadata.name);
    if (collection === 'eraser.sh/imagejobs' && object['status'] === undefined) this.jobsMade.push(object.metadata.name);
    const made = { generation: 1, creationTimestamp: '2026-01-01T00:00:00Z' };
    return super.put(collection, { ...object, metadata: { ...made, ...object.metadata } });
  }

  makeNodes(names: readonly string[]): void {
    for (const name of names) this.put('/nodes', nodeObject(name));
  }

  configure(manager: object = {}, components: object = {}): void {
    const config = { apiVersion: 'eraser.sh/v1alpha3', kind: 'EraserConfig', manager, components };
    this.put('/configmaps', {
      metadata: { name: 'eraser-manager-config', namespace: NAMESPACE },
      data: { 'controller_manager_config.yaml': JSON.stringify(config) },
    });
  }

  /** Asks for a run, as `kubectl annotate` does. */
  requestRun(token: string): void {
    const map = this.history.get('/configmaps', `${NAMESPACE}/eraser-manager-config`);
    if (map === undefined) throw new Error('no configuration');
    const annotations = { 'eraser.sh/run-requested': token };
    this.put('/configmaps', { ...map, metadata: { ...map.metadata, annotations } });
  }

  applyList(images: readonly string[], fields: object = {}): KubeObject {
    const list = { apiVersion: 'eraser.sh/v1', kind: 'ImageList', metadata: { name: 'imagelist' }, spec: { images }, ...fields };
    return this.put('eraser.sh/imagelists', list);
  }

  list(): KubeObject | undefined {
    return this.history.get('eraser.sh/imagelists', 'imagelist');
  }

  jobs(): KubeObject[] {
    return this.history.list('eraser.sh/imagejobs').map(([, job]) => job);
  }

  pods(): KubeObject[] {
    return this.history.list('/pods').map(([, pod]) => pod);
  }

  /** What the manager has stored. */
  state(): Record<string, unknown> {
    const { data } = (this.history.get('/configmaps', `${NAMESPACE}/eraser-manager-state`) ?? {}) as { data?: Record<string, string> };
    return JSON.parse(data?.['state.json'] ?? '{}') as Record<string, unknown>;
  }

  /** What the kubelets do with pods that have not begun. */
  endPods(): void {
    const message = '{"removed":1,"reclaimedBytes":10}';
    const containerStatuses = [{ name: 'remover', state: { terminated: { exitCode: 0, message } } }];
    for (const pod of this.pods()) {
      if (pod['status'] === undefined) this.put('/pods', { ...pod, status: { phase: 'Succeeded', containerStatuses } });
    }
  }

  /** From now on until the test ends. */
  endPodsSoon(): void {
    const kubelets = setInterval(() => this.endPods(), 10);
    onTestFinished(() => clearInterval(kubelets));
  }
}

export function nodeObject(name: string, fields: { readonly ready?: boolean; readonly labels?: object } = {}): KubeObject {
  const status = {
    conditions: [{ type: 'Ready', status: fields.ready === false ? 'Unknown' : 'True' }],
    nodeInfo: { containerRuntimeVersion: 'containerd://2.0', operatingSystem: 'linux' },
  };
  return { metadata: { name, labels: fields.labels ?? {} }, status };
}

export async function startClusterInTest(nodes: readonly string[]): Promise<ClusterInTest> {
  const server = new ClusterInTest();
  await server.start();
  onTestFinished(() => server.stop());
  server.makeNodes(nodes);
  return server;
}

export interface ManagerInTest {
  readonly events: readonly EventFacts[];
  /** What the history would know of runs. */
  readonly recorded: readonly RunFacts[];
  readonly lines: readonly LoggedLine[];
  /** As the coordinator tells it of results that are on record. */
  readonly noteReported: Manager['noteReported'];
  /** null: it has not begun yet. */
  readonly findRun: (jobUid: string) => FoundRun | null;
  /** How many writes were begun. */
  readonly writes: () => number;
  /** Resolves when it dies. */
  readonly died: Promise<void>;
  /** Resolves when it does nothing any more. */
  stop(): Promise<void>;
}

export interface ManagerInTestOptions {
  readonly settings?: Partial<ManagerSettings>;
  /** It dies before its write of this number, as a process that is killed. */
  readonly diesAt?: number;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
  readonly timing?: Timing;
  /** What is in the history; without it, nothing. */
  readonly readReported?: ReadReported;
  /** Resolves: it is in the history. Without it, all of it always is. */
  readonly recordRun?: RecordRun;
}

export function startManagerInTest(server: ClusterInTest, options: ManagerInTestOptions = {}): ManagerInTest {
  return startManagerWith(clientOf(server.url, { timing: SYSTEM_TIMING }), NAMESPACE, options);
}

/** A manager with its copies and its queue, as the process that leads has them, until the test ends; the client is closed with it. */
export function startManagerWith(client: KubeClient, namespace: string, options: ManagerInTestOptions = {}): ManagerInTest {
  const { settings, diesAt = Infinity, now = Date.now, timing = SYSTEM_TIMING } = options;
  const { readReported = NOTHING_REPORTED, recordRun = ALWAYS_RECORDED } = options;
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
  const { log, lines } = logInTest();
  const events: EventFacts[] = [];
  const recorded: RunFacts[] = [];
  const recorder = new EventRecorder({
    client,
    reportingController: 'eraser.sh/controller-manager',
    reportingInstance: 'in-test',
    timing: SYSTEM_TIMING,
    wallNow: Date.now,
    onFault: (error) => log.warn('an event was lost', { error: errorMessage(error) }),
  });
  let manager: Manager | null = null;
  const running = startCopies({
    client,
    namespace,
    timing: SYSTEM_TIMING,
    enqueue: (key, afterMs) => manager?.enqueue(key, afterMs),
    onPod: (name) => manager?.pods.notice(name),
    onFault: (error) => log.warn('a call of the API failed', { error: errorMessage(error) }),
  });
  const following = running.run(stop.signal);
  const leading = (async () => {
    await running.whenSynced(stop.signal);
    manager = new Manager({
      api: bindClusterApi({ client, namespace, isHeld }),
      copies: running.copies,
      settings: { ...SETTINGS, frame: { ...SETTINGS.frame, namespace }, ...settings },
      parsers: { duration: parseDuration, quantity: parseQuantity, yaml: parseYaml },
      sha256: (text) => createHash('sha256').update(text).digest('hex'),
      recordEvent: (event) => {
        events.push(event);
        recorder.record(event);
      },
      recordRun: async (facts, signal) => {
        await recordRun(facts, signal);
        recorded.push(facts);
      },
      readReported,
      log,
      timing,
      now,
    });
    await manager.run(stop.signal);
  })().catch((error: unknown) => {
    if (!stop.signal.aborted) throw error;
  });
  const end = async (): Promise<void> => {
    stop.abort();
    await Promise.all([leading, following]);
    await recorder.close(AbortSignal.abort());
    await client.close();
  };
  onTestFinished(end);
  const noteReported: Manager['noteReported'] = (...results) => manager?.noteReported(...results);
  const findRun = (jobUid: string): FoundRun | null => manager?.findRun(jobUid) ?? null;
  return { events, recorded, lines, noteReported, findRun, writes: () => writes, died, stop: end };
}

const NOTHING_REPORTED: ReadReported = () => Promise.resolve(new Map());
const ALWAYS_RECORDED: RecordRun = () => Promise.resolve();

const SETTINGS: ManagerSettings = {
  own: OWN_CONTAINERS,
  historyLimit: 10,
  mountedText: null,
  maxParallel: null,
  timeouts: { startMs: 60_000, runMs: 60_000 },
  nodeGraceMs: 60_000,
  frame: {
    namespace: NAMESPACE,
    priorityClassName: null,
    seLinuxType: null,
    pullSecrets: [],
    coordinator: { url: 'https://coordinator:8443', audience: 'coordinator', caConfigMap: 'coordinator-ca' },
    scannerTemporaryBytes: 1024 ** 3,
  },
};

/** A clock on which a minute passes in so many milliseconds. */
export function fastTiming(minuteMs: number): Timing {
  const speed = 60_000 / minuteMs;
  return {
    now: () => SYSTEM_TIMING.now() * speed,
    sleep: (ms, signal) => SYSTEM_TIMING.sleep(ms / speed, signal),
    random: () => SYSTEM_TIMING.random(),
  };
}

/** Until this no longer throws. */
export function soon(expectation: () => void): Promise<void> {
  return vi.waitFor(expectation, { timeout: 20_000, interval: 10 });
}
