import { isDeepStrictEqual } from 'node:util';
import type { ScannerInfo, ScanReport } from '../../src/api/scan-report.ts';
import { DEFAULT_SCAN_POLICY } from '../../src/api/scan-policy.ts';
import type { ImageHistories } from '../../src/core/image-age.ts';
import type { PendingPod } from '../../src/core/image-use.ts';
import type { Coordinator, NodeResult, SeenInventory, WorkerTask } from '../../src/worker/ports.ts';

/** A coordinator in memory. */
export class FakeCoordinator implements Coordinator {
  task: WorkerTask = { scanPolicy: DEFAULT_SCAN_POLICY, minAgeMs: 0, maxAgeMs: null, diskLimits: null, protections: [] };
  pods: readonly PendingPod[] = [];
  histories: ImageHistories = new Map();
  readonly reports: ScanReport[] = [];
  readonly inventories: SeenInventory[] = [];
  readonly results: NodeResult[] = [];
  /** Runs before each call, by the call's name; a rejection is the call's. */
  before: (call: keyof Coordinator, signal: AbortSignal) => Promise<void> = () => Promise.resolve();

  async readTask(signal: AbortSignal): Promise<WorkerTask> {
    await this.#enter('readTask', signal);
    return this.task;
  }

  async reportInventory(seen: SeenInventory, signal: AbortSignal): Promise<ImageHistories> {
    await this.#enter('reportInventory', signal);
    this.inventories.push(seen);
    return this.histories;
  }

  async readReports(
    imageIds: readonly string[],
    scanner: ScannerInfo | null,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, ScanReport>> {
    await this.#enter('readReports', signal);
    const known = this.reports.filter((report) => scanner === null || isDeepStrictEqual(report.scanner, scanner));
    return new Map(known.filter(({ imageId }) => imageIds.includes(imageId)).map((report) => [report.imageId, report]));
  }

  async keepReports(reports: readonly ScanReport[], signal: AbortSignal): Promise<void> {
    await this.#enter('keepReports', signal);
    this.reports.push(...reports);
  }

  async listPendingPods(signal: AbortSignal): Promise<readonly PendingPod[]> {
    await this.#enter('listPendingPods', signal);
    return this.pods;
  }

  async reportResult(result: NodeResult, signal: AbortSignal): Promise<void> {
    await this.#enter('reportResult', signal);
    this.results.push(result);
  }

  async #enter(call: keyof Coordinator, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await this.before(call, signal);
    signal.throwIfAborted();
  }
}
