import type { ExclusionList } from '../api/exclusion-list.ts';
import type { TextParsers } from '../api/eraser-config/config-values.ts';
import type { Sha256 } from '../core/cluster/pod-name.ts';
import type { OwnContainers } from '../core/cluster/resolve-components.ts';
import type { RemovedFromNode } from '../core/cluster/summarise-job.ts';
import { errorFields } from '../platform/errors.ts';
import type { Timing } from '../platform/timing.ts';
import { Inputs } from './configuration/inputs.ts';
import { ConfigurationReconciler } from './configuration/reconcile-configuration.ts';
import type { RunSettings } from './image-job/carry-on-run.ts';
import { describeKeptAsEraser, type KeptAsEraser } from './image-job/describe-kept-as-eraser.ts';
import type { FindRun } from './image-job/find-run.ts';
import { ImageJobReconciler } from './image-job/reconcile-image-job.ts';
import { WorkerPods } from './image-job/worker-pods.ts';
import { ImageListReconciler } from './image-list/reconcile-image-list.ts';
import { acceptConfiguration, rememberingConfigurations } from '../core/cluster/accept-configuration.ts';
import { KEYS, parseKey } from './keys.ts';
import type { Log } from '../platform/log.ts';
import { type Reconciled, WorkQueue } from './loop/work-queue.ts';
import type { ClusterApi, Copies, ReadReported, RecordEvent, RecordRun } from './ports.ts';
import { ScheduleReconciler } from './schedule/reconcile-schedule.ts';
import { StateStore } from './state/state-store.ts';

export interface ManagerSettings extends RunSettings {
  readonly own: OwnContainers;
  readonly historyLimit: number;
  /** The configuration that the process was started with; null: none. */
  readonly mountedText: string | null;
}

export interface ManagerOptions {
  readonly api: ClusterApi;
  /** Once they are synced. */
  readonly copies: Copies;
  readonly settings: ManagerSettings;
  readonly parsers: TextParsers;
  readonly sha256: Sha256;
  readonly recordEvent: RecordEvent;
  readonly recordRun: RecordRun;
  readonly readReported: ReadReported;
  readonly log: Log;
  /** Of the leadership of this process; absent: not known. */
  readonly term?: number;
  readonly timing: Timing;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** The work of the one process that leads. */
export class Manager {
  readonly inputs = new Inputs();
  readonly pods: WorkerPods;
  readonly #queue: WorkQueue;
  readonly #options: ManagerOptions;
  readonly #reconcilers: ReturnType<typeof makeReconcilers>;
  readonly #toldAsEraser = new Set<string>();

  constructor(options: ManagerOptions) {
    this.#options = options;
    this.pods = new WorkerPods(options.copies.workerPods);
    this.#reconcilers = makeReconcilers(options, {
      inputs: this.inputs,
      pods: this.pods,
      enqueue: this.enqueue,
      onChange: () => this.#addAll(),
    });
    this.#queue = new WorkQueue({
      reconcile: (key, signal) => this.#reconcile(key, signal),
      // All write into one state, and share the nodes among them.
      workers: 1,
      timing: options.timing,
      onError: ({ key, error, failures }) => {
        options.log.error('reconcile failed', { key, failures, ...errorFields(error) });
      },
    });
  }

  readonly findRun: FindRun = (jobUid) => this.#reconcilers.imageJob.find(jobUid);

  /** Results of a node are on record, and completed. */
  readonly noteReported = ({ job, node }: { readonly job: string; readonly node: string }, removed: RemovedFromNode): void => {
    this.pods.noteReported({ job, node }, removed);
    const found = this.findRun(job);
    if (found.kind === 'goes-on') this.enqueue(KEYS.job(found.run.job.name));
  };

  /** Each entry is told of once in a run, with one of the images for an example. */
  readonly noteKeptAsEraser = ({ job }: { readonly job: string }, kept: readonly KeptAsEraser[]): void => {
    const found = this.findRun(job);
    if (found.kind !== 'goes-on') return;
    for (const one of kept) {
      const key = `${job} ${one.list} ${one.entry}`;
      if (this.#toldAsEraser.has(key)) continue;
      this.#toldAsEraser.add(key);
      this.#options.recordEvent(describeKeptAsEraser(found.run.job, one));
    }
  };

  readonly enqueue = (key: string, afterMs = 0): void => this.#queue.add(key, afterMs);

  /** Until the signal aborts, and what was in hand then has ended. */
  async run(signal: AbortSignal): Promise<void> {
    // All else begins with what this puts into force.
    this.enqueue(KEYS.configuration);
    await this.#queue.run(signal);
  }

  #addAll(): void {
    const { imageLists, imageJobs } = this.#options.copies;
    for (const { metadata } of imageLists.values()) this.enqueue(KEYS.list(metadata.name));
    for (const { metadata } of imageJobs.values()) this.enqueue(KEYS.job(metadata.name));
    this.enqueue(KEYS.actingList);
    this.enqueue(KEYS.schedule);
  }

  async #reconcile(key: string, signal: AbortSignal): Promise<Reconciled> {
    const parsed = parseKey(key);
    switch (parsed.kind) {
      case 'configuration':
        await this.#reconcilers.configuration.reconcile(signal);
        return {};
      case 'schedule':
        return this.#reconcilers.schedule.reconcile(signal);
      case 'list':
        return this.#reconcilers.imageList.reconcile(parsed.name, signal);
      case 'job':
        return this.#reconcilers.imageJob.reconcile(parsed.name, signal);
    }
  }
}

interface Shared {
  readonly inputs: Inputs;
  readonly pods: WorkerPods;
  readonly enqueue: (key: string, afterMs?: number) => void;
  readonly onChange: () => void;
}

function makeReconcilers(options: ManagerOptions, shared: Shared) {
  const { api, settings, timing } = options;
  const { namespace } = settings.frame;
  const common = {
    ...options,
    ...shared,
    acceptConfiguration: rememberingConfigurations((text) => acceptConfiguration(text, options.parsers, settings.own)),
    namespace,
    state: new StateStore(api, namespace, options.term ?? null),
  };
  return {
    configuration: new ConfigurationReconciler({ ...common, mountedText: settings.mountedText }),
    schedule: new ScheduleReconciler(common),
    imageList: new ImageListReconciler(common),
    imageJob: new ImageJobReconciler({
      ...common,
      settings,
      ownExclusions: exclusionsOf(settings.own),
      historyLimit: settings.historyLimit,
      monotonicNow: () => timing.now(),
    }),
  };
}

/** The cleaner's own images stay: they would only be pulled again for the next run. */
function exclusionsOf({ collector, scanner, remover }: OwnContainers): ExclusionList {
  return { name: 'image-cleaner', entries: [...new Set([collector.image, scanner.image, remover.image])] };
}
