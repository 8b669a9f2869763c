import { setTimeout as sleep } from 'node:timers/promises';
import { vi } from 'vitest';
import { startControlPlane } from '../../../lab/control-plane.ts';
import type { ImageJob } from '../../../src/api/image-job.ts';
import type { LogLine } from '../controller-process.ts';
import { startHttpGate, type HttpGate, type SeenRequest } from '../http-gate.ts';
import { CONFIG, openSite, type OpenSite } from '../manager-in-test.ts';
import { openPaperNodes } from '../nodes-in-test.ts';
import { startTcpGate, type TcpGate } from '../tcp-gate.ts';
import { workerReference } from '../worker-in-test.ts';

export interface Ways {
  readonly http: HttpGate;
  /** Before it. */
  readonly tcp: TcpGate;
}

/** A part of the time that an API server is in trouble. */
export interface Trouble {
  readonly name: string;
  readonly seconds: number;
  begin(ways: Ways): void;
}

/** What a manager did while its API server was in trouble, in the middle of a run, and what came of the run. */
export interface RodeOut {
  /** By name of the trouble. */
  readonly requests: ReadonlyMap<string, readonly SeenRequest[]>;
  /** Connections that were made while the trouble lasted. */
  readonly connections: number;
  /** Of its processes that ended by themselves, as often as they did. */
  readonly exitCodes: readonly number[];
  readonly logs: readonly LogLine[];
  readonly jobs: readonly ImageJob[];
  /** How many pods each node ever had. */
  readonly podsOfNodes: readonly number[];
  readonly mostAtOnce: number;
  readonly sharedNodes: number;
  /** From the end of the trouble to that of the run. */
  readonly secondsAfter: number;
}

export const NODES = 12;
const AT_ONCE = 2;
/** What a kubelet waits at least before it starts a container again. */
const RESTART_MS = 1_000;

/** Has a manager begin a run on an API server of its own, makes the trouble when a quarter of it is done, and waits for the end of the run. */
export async function rideOut(troubles: readonly Trouble[]): Promise<RodeOut> {
  await using controlPlane = await startControlPlane();
  const http = await startHttpGate(controlPlane.kubeconfig);
  const tcp = await startTcpGate(http.port);
  const specs = Array.from({ length: NODES }, (_, at) => ({ name: `paper-${String(at)}` }));
  const nodes = await openPaperNodes(controlPlane.kubeconfig, specs);
  const site = await openSite(controlPlane.kubeconfig, workerReference('paper'), { through: `http://127.0.0.1:${String(tcp.port)}` });
  const over = new AbortController();
  try {
    nodes.endPodsAfter(site.namespace, 300);
    await site.configure(CONFIG);
    const managers = keepManager(site, over.signal);
    await site.applyList(['docker.io/library/nothing:1']);
    await vi.waitFor(
      () => {
        assert(site.podsEver().size > NODES / 4);
      },
      { timeout: 60_000, interval: 20 },
    );
    const requests = new Map<string, readonly SeenRequest[]>();
    const before = tcp.connections();
    for (const trouble of troubles) {
      const from = http.seen.length;
      trouble.begin({ http, tcp });
      await sleep(trouble.seconds * 1_000);
      requests.set(trouble.name, http.seen.slice(from));
    }
    const connections = tcp.connections() - before;
    tcp.thaw();
    http.fail(null);
    const from = performance.now();
    const isOver = async (): Promise<void> => {
      assert((await site.jobs()).every(({ status }) => ['Completed', 'Failed'].includes(status?.phase ?? '')));
    };
    // What there is then is told by the tests.
    await vi.waitFor(isOver, { timeout: 90_000, interval: 500 }).catch(() => undefined);
    return {
      requests,
      connections,
      exitCodes: managers.exitCodes,
      logs: managers.logs(),
      jobs: await site.jobs(),
      podsOfNodes: [...site.podsEver().values()].map(({ size }) => size),
      mostAtOnce: site.mostAtOnce(),
      sharedNodes: site.sharedNodes().size,
      secondsAfter: (performance.now() - from) / 1_000,
    };
  } finally {
    over.abort();
    await site.close();
    await nodes.close();
    tcp.close();
    http.close();
  }
}

/** Starts it, and starts it again whenever it ends by itself. */
function keepManager(site: OpenSite, signal: AbortSignal): { readonly exitCodes: number[]; logs(): LogLine[] } {
  const exitCodes: number[] = [];
  const logs: (readonly LogLine[])[] = [];
  const isOver = (): boolean => signal.aborted;
  const begin = (): void => {
    const manager = site.start([`--max-parallel=${String(AT_ONCE)}`]);
    logs.push(manager.logs);
    void manager.ended().then(async (code) => {
      if (isOver()) return;
      exitCodes.push(code);
      await sleep(RESTART_MS);
      if (!isOver()) begin();
    });
  };
  begin();
  return { exitCodes, logs: () => logs.flat() };
}

function assert(holds: boolean): void {
  if (!holds) throw new Error('not yet');
}
