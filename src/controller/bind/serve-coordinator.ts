import { COORDINATOR } from '../../api/coordinator/coordinator-objects.ts';
import { CoordinatorServer } from '../../coordinator/coordinator-server.ts';
import type { CoordinatorEvent, CoordinatorPorts } from '../../coordinator/ports.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import { errorFields } from '../../platform/errors.ts';
import { backoffMs, type Timing } from '../../platform/timing.ts';
import type { Log } from '../../platform/log.ts';
import type { Manager } from '../manager.ts';
import { bindNodePods, bindRuns, bindTokens, bindWorkerPods } from './coordinator-ports.ts';
import { Trust } from './keep-trust.ts';
import { publishEndpoint } from './publish-endpoint.ts';
import { tellResults } from './tell-results.ts';

export interface CoordinatorSettings {
  /** Where it listens. */
  readonly listen: { readonly host: string; readonly port: number };
  /** Under which IP address pods reach this process. */
  readonly advertise: string;
  /** The service account of the worker pods. */
  readonly workerAccount: string;
}

/** What workers are told and tell, beside their run itself: the history, and Trivy's server. */
export type WorkerStores = Omit<CoordinatorPorts, 'tokens' | 'workerPods' | 'runs' | 'nodePods'>;

export interface ServeCoordinatorOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly settings: CoordinatorSettings;
  readonly manager: Pick<Manager, 'findRun' | 'pods' | 'noteReported' | 'noteKeptAsEraser'>;
  readonly stores: WorkerStores;
  readonly isHeld: () => boolean;
  readonly timing: Timing;
  readonly wallNow: () => number;
  readonly log: Log;
}

/** How often the certificates are looked at, which last for weeks. */
const TRUST_LOOK_MS = 3_600_000;
const TRUST_RETRY = { firstMs: 5_000, longestMs: 300_000 };
/** What is under way when leadership ends. */
const LAST_CALLS_MS = 3_000;

/** The coordinator of the process that leads: workers reach it once this has resolved, and `run` keeps its certificates fresh until the signal aborts. */
export async function serveCoordinator(
  options: ServeCoordinatorOptions,
  signal: AbortSignal,
): Promise<{ readonly port: number; run(signal: AbortSignal): Promise<void> }> {
  const { client, namespace, settings, manager, stores, isHeld, timing, wallNow, log } = options;
  const { service, portName, audience, caConfigMap, secret } = COORDINATOR;
  const serverNames = [`${service}.${namespace}.svc`, `${service}.${namespace}.svc.cluster.local`];
  const trust = new Trust({ client, namespace, secret, configMap: caConfigMap, serverNames, wallNow, isHeld, log });
  const identity = await trust.refresh(signal);
  const server = new CoordinatorServer({
    ports: {
      ...stores,
      results: tellResults(stores.results, manager),
      tokens: bindTokens({ client, audience, timing, wallNow, log }),
      workerPods: bindWorkerPods({ client, namespace, pods: manager.pods }),
      runs: bindRuns(manager.findRun),
      nodePods: bindNodePods(client),
    },
    credentials: { audience, username: `system:serviceaccount:${namespace}:${settings.workerAccount}` },
    identity,
    timing,
    wallNow,
    onEvent: logEvents(log, timing),
  });
  await server.listen(settings.listen);
  const endpoint = { client, namespace, service, address: settings.advertise, port: server.port, portName, isHeld };
  try {
    await publishEndpoint(endpoint, signal);
  } catch (error) {
    // Whom nobody is sent to answers nobody: it would hold the process, which is to end, and the port, which the next leader may want.
    await server.close(0);
    throw error;
  }
  log.info('the coordinator answers', { address: settings.advertise, port: server.port });
  return {
    port: server.port,
    run: async (until) => {
      try {
        await keepFresh({ trust, server, timing, log }, until);
      } finally {
        await server.close(LAST_CALLS_MS);
      }
    },
  };
}

interface Fresh {
  readonly trust: Trust;
  readonly server: CoordinatorServer;
  readonly timing: Timing;
  readonly log: Log;
}

async function keepFresh({ trust, server, timing, log }: Fresh, signal: AbortSignal): Promise<void> {
  const isOver = (): boolean => signal.aborted;
  let failures = 0;
  while (!isOver()) {
    const pause = failures === 0 ? TRUST_LOOK_MS : backoffMs(TRUST_RETRY, failures - 1, timing.random());
    await timing.sleep(pause, signal).catch(() => undefined);
    if (isOver()) return;
    try {
      server.useIdentity(await trust.refresh(signal));
      failures = 0;
    } catch (error) {
      failures += 1;
      log.warn("the coordinator's certificates were not looked at", errorFields(error));
    }
  }
}

/** A worker that is told to come again does so for minutes: the first time says it all. */
const QUIET_MS = 60_000;
const MOST_QUIET = 1_000;

function logEvents(log: Log, timing: Timing): (event: CoordinatorEvent) => void {
  const told = new Map<string, number>();
  const isNews = (key: string): boolean => {
    const now = timing.now();
    const before = told.get(key);
    if (before !== undefined && now - before < QUIET_MS) return false;
    told.delete(key);
    if (told.size >= MOST_QUIET) for (const oldest of told.keys()) if (told.delete(oldest)) break;
    told.set(key, now);
    return true;
  };
  return (event) => {
    if (event.kind === 'call-failed') {
      const { path, pod, error } = event;
      if (isNews(`${path} ${pod ?? ''}`)) log.warn('a call of a worker cannot be answered now', { path, pod, ...errorFields(error) });
      return;
    }
    const { kind, ...facts } = event;
    if (isNews(`${kind} ${facts.code} ${facts.pod ?? facts.remoteAddress}`)) log.warn('a call of a worker was refused', facts);
  };
}
