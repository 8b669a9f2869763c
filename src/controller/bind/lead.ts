import { createHash } from 'node:crypto';
import { parseDuration } from '../../platform/duration.ts';
import { parseYaml } from '../../platform/parse-yaml.ts';
import { parseQuantity } from '../../platform/quantity.ts';
import type { Timing } from '../../platform/timing.ts';
import { errorFields } from '../../platform/errors.ts';
import { EventRecorder } from '../../kube/event-recorder.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import type { Leadership } from '../../kube/leader-election.ts';
import type { Log } from '../../platform/log.ts';
import { Manager, type ManagerSettings } from '../manager.ts';
import { bindClusterApi } from './bind-cluster-api.ts';
import type { OpenStores } from './open-stores.ts';
import { serveCoordinator, type CoordinatorSettings } from './serve-coordinator.ts';
import { startCopies, type RunningCopies } from './start-copies.ts';

export interface LeadOptions {
  readonly client: KubeClient;
  readonly settings: ManagerSettings;
  readonly coordinator: CoordinatorSettings;
  /** Only the process that leads writes to them. */
  readonly stores: () => Promise<OpenStores>;
  /** The pod's name. */
  readonly instance: string;
  readonly timing: Timing;
  readonly wallNow: () => number;
  readonly log: Log;
  /** Told what goes on, for the health of the process. */
  readonly onStart: (parts: { readonly manager: Manager; readonly copies: RunningCopies }) => void;
}

const PARSERS = { duration: parseDuration, quantity: parseQuantity, yaml: parseYaml };
/** Shown by `kubectl describe` as where an Event comes from. */
const REPORTING_CONTROLLER = 'eraser.sh/controller-manager';
const LAST_EVENTS_MS = 3_000;

/** Does the manager's work for as long as this process leads. */
export async function lead(options: LeadOptions, { signal, isHeld, term }: Leadership): Promise<void> {
  const { client, settings, coordinator, instance, timing, wallNow, log, onStart } = options;
  const { namespace } = settings.frame;
  log.info('this process leads', { term });
  const onFault = (error: unknown): void => log.warn('a call of the API failed', errorFields(error));
  const events = new EventRecorder({
    client,
    reportingController: REPORTING_CONTROLLER,
    reportingInstance: instance,
    timing,
    wallNow,
    onFault,
  });
  // Until all copies are complete, nothing is looked at: then all of it is.
  let manager: Manager | null = null;
  const running = startCopies({
    client,
    namespace,
    timing,
    enqueue: (key, afterMs) => manager?.enqueue(key, afterMs),
    onPod: (name) => manager?.pods.notice(name),
    onFault,
  });
  const ended = new AbortController();
  const until = AbortSignal.any([signal, ended.signal]);
  const beside = [running.run(until)];
  let stores: OpenStores | null = null;
  try {
    stores = await options.stores();
    beside.push(stores.keepSmall(until));
    await running.whenSynced(signal);
    manager = new Manager({
      term,
      api: bindClusterApi({ client, namespace, isHeld }),
      copies: running.copies,
      settings,
      parsers: PARSERS,
      sha256: (text) => createHash('sha256').update(text).digest('hex'),
      recordEvent: (event) => events.record(event),
      recordRun: stores.recordRun,
      readReported: stores.readReported,
      log,
      timing,
      now: wallNow,
    });
    onStart({ manager, copies: running });
    // Before any pod is made that will ask for it.
    const served = await serveCoordinator(
      { client, namespace, settings: coordinator, manager, stores, isHeld, timing, wallNow, log },
      signal,
    );
    beside.push(served.run(until));
    await manager.run(signal);
  } finally {
    ended.abort();
    await Promise.all(beside);
    await stores?.close();
    await events.close(AbortSignal.timeout(LAST_EVENTS_MS));
  }
}
