import type { ImageAnalysis, ScanReport, ScanResult } from '../../src/api/scan-report.ts';
import { DEFAULT_SCAN_POLICY } from '../../src/api/scan-policy.ts';
import type { ImageHistories } from '../../src/core/image-age.ts';
import type { PendingPod } from '../../src/core/image-use.ts';
import type { ScanAnswer, ScanExchange } from '../../src/api/coordinator/scans-call.ts';
import type { Coordinator, NodeResult, SeenInventory, WorkerTask } from '../../src/worker/ports.ts';
import { image, report } from './images.ts';

/** A coordinator in memory. */
export class FakeCoordinator implements Coordinator {
  task: WorkerTask = { scanPolicy: DEFAULT_SCAN_POLICY, minAgeMs: 0, maxAgeMs: null, diskLimits: null, protections: [] };
  pods: readonly PendingPod[] = [];
  histories: ImageHistories = new Map();
  readonly reports: ScanReport[] = [];
  /** What it finds in what was read of an image. */
  judge: (analysis: ImageAnalysis) => ScanReport = ({ imageId }) => report(image(1), { imageId });
  readonly failures = new Map<string, ScanResult>();
  /** What another node reads. */
  readonly elsewhere = new Set<string>();
  readonly exchanges: ScanExchange[] = [];
  /** How many results an answer holds. */
  mostResults = Infinity;
  /** What it says beside that, asked for or not. */
  alsoLeased: readonly string[] = [];
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

  async exchangeScans(exchange: ScanExchange, signal: AbortSignal): Promise<ScanAnswer> {
    await this.#enter('exchangeScans', signal);
    this.exchanges.push(exchange);
    for (const analysis of exchange.analyses) this.reports.push(this.judge(analysis));
    for (const { imageId, failure } of exchange.failed) this.failures.set(imageId, failure);
    const asked = [...exchange.wanted, ...[...exchange.analyses, ...exchange.failed].map(({ imageId }) => imageId)];
    const known = asked.flatMap((imageId) => this.#resultOf(imageId));
    const unknown = asked.filter((id) => !known.some(({ imageId }) => imageId === id));
    const leased = unknown.filter((id) => !this.elsewhere.has(id)).slice(0, exchange.mayTake);
    const [results, rest] = [known.slice(0, this.mostResults), known.slice(this.mostResults).map(({ imageId }) => imageId)];
    return { results, leased: [...leased, ...this.alsoLeased], elsewhere: unknown.filter((id) => this.elsewhere.has(id)), rest };
  }

  #resultOf(imageId: string): ScanAnswer['results'] {
    const report = this.reports.findLast((one) => one.imageId === imageId);
    const result: ScanResult | undefined = report === undefined ? this.failures.get(imageId) : { kind: 'scanned', report };
    return result === undefined ? [] : [{ imageId, result }];
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
