import type * as z from 'zod';
import { CALL_LIMITS, PODS_PATH, runCallPath, type CoordinatorCall, type NodeRun } from '../../api/coordinator/coordinator-api.ts';
import { inventoryAnswerSchema, type InventoryReport } from '../../api/coordinator/inventory-call.ts';
import { logsAnswerSchema, type LogPiece, type LogsAnswer } from '../../api/coordinator/logs-call.ts';
import { podsAnswerSchema } from '../../api/coordinator/pods-call.ts';
import { resultsAnswerSchema } from '../../api/coordinator/results-call.ts';
import { scanAnswerSchema, type ScanAnswer, type ScanExchange } from '../../api/coordinator/scans-call.ts';
import { settingsAnswerSchema, type RunSettings } from '../../api/coordinator/settings-call.ts';
import type { FilesystemUsage, NodeInventory } from '../../api/inventory.ts';
import type { ImageHistories } from '../../core/image-age.ts';
import type { PendingPod } from '../../core/image-use.ts';
import type { Timing } from '../../platform/timing.ts';
import { callCoordinator, type CallOptions } from './call-coordinator.ts';
import { CoordinatorConnection } from './coordinator-connection.ts';
import { CoordinatorError } from './coordinator-error.ts';
import { fitResults, type ReportedResult } from './fit-results.ts';
import { formatScans } from './format-scans.ts';

export interface CoordinatorClientOptions extends NodeRun {
  /** `https://eraser-coordinator.eraser-system.svc:8443`. */
  readonly url: string;
  /** Read again at every call: the kubelet renews both. */
  readonly tokenFile: string;
  readonly caFile: string;
  readonly timing: Timing;
  /** Milliseconds since the epoch. */
  readonly wallNow: () => number;
  /** How long a call is repeated after its first failure; null: until its signal aborts. */
  readonly giveUpAfterMs: number | null;
  readonly onRetry: CallOptions['onRetry'];
  readonly connectTimeoutMs?: number;
}

export interface SeenInventory {
  readonly inventory: NodeInventory;
  readonly inUse: ReadonlySet<string>;
  readonly filesystem: FilesystemUsage | null;
}

const CONNECT_TIMEOUT_MS = 10_000;

/** A worker's way to the coordinator. Calls may overlap. Each rejects with a CoordinatorError, or with the reason of its signal. */
export class CoordinatorClient {
  readonly #options: CoordinatorClientOptions;
  readonly #base: URL;
  readonly #calls: CallOptions;

  constructor(options: CoordinatorClientOptions) {
    const { tokenFile, caFile, connectTimeoutMs = CONNECT_TIMEOUT_MS } = options;
    this.#options = options;
    this.#base = new URL(options.url);
    // The token is worth as much as the worker: it goes to nobody who has not proven who he is.
    if (this.#base.protocol !== 'https:') {
      throw new CoordinatorError({
        code: 'untrusted',
        message: `${options.url} is no https address`,
        hint: 'The coordinator is called over https only.',
      });
    }
    this.#calls = { ...options, connection: new CoordinatorConnection({ tokenFile, caFile, connectTimeoutMs }) };
  }

  /** What the run goes by. */
  async readTask(signal: AbortSignal): Promise<RunSettings> {
    return this.#call('settings', null, settingsAnswerSchema, signal);
  }

  /** Tells what is on the node. The histories are by this node's clock, so that ages are those that the coordinator's clock says. */
  async reportInventory({ inventory, inUse, filesystem }: SeenInventory, signal: AbortSignal): Promise<ImageHistories> {
    const report = { inventory, inUse: [...inUse], filesystem } satisfies Readonly<Record<keyof InventoryReport, unknown>>;
    const { now, histories } = await this.#call('inventory', toJson(report), inventoryAnswerSchema, signal);
    const ahead = this.#options.wallNow() - now;
    return new Map(
      histories.map(({ imageId, firstSeenAt, lastInUseAt }) => [
        imageId,
        { firstSeenAt: firstSeenAt + ahead, lastInUseAt: lastInUseAt === null ? null : lastInUseAt + ahead },
      ]),
    );
  }

  /** What was read of images goes to the coordinator, results and images to read come back. */
  async exchangeScans(exchange: ScanExchange, signal: AbortSignal): Promise<ScanAnswer> {
    return this.#call('scans', formatScans(exchange), scanAnswerSchema, signal);
  }

  /** The pods bound to this node that have not ended, read from the API server after this was called. */
  async listPendingPods(signal: AbortSignal): Promise<readonly PendingPod[]> {
    const { node, pods } = await this.#call('pods', null, podsAnswerSchema, signal);
    if (node === this.#options.node) return pods;
    throw new CoordinatorError({
      code: 'bad-answer',
      message: `the coordinator answers for node ${node} instead of ${this.#options.node}`,
    });
  }

  /** Resolves once the result is on record. */
  async reportResult(result: ReportedResult, signal: AbortSignal): Promise<void> {
    await this.#call('results', fitResults(result, CALL_LIMITS.results.maxRequestBytes), resultsAnswerSchema, signal);
  }

  /** Resolves once the piece is kept. `isFull`: no more of this container's log is. */
  async sendLog(piece: LogPiece, signal: AbortSignal): Promise<LogsAnswer> {
    return this.#call('logs', toJson(piece), logsAnswerSchema, signal);
  }

  /** Ends all connections, and what is under way on them. */
  close(): void {
    this.#calls.connection.close();
  }

  #call<Schema extends z.ZodType>(
    call: CoordinatorCall,
    body: Buffer | null,
    schema: Schema,
    signal: AbortSignal,
  ): Promise<z.output<Schema>> {
    const path = call === 'pods' ? PODS_PATH : runCallPath(this.#options, call);
    return callCoordinator(this.#calls, { url: new URL(path, this.#base), limits: CALL_LIMITS[call], body, schema }, signal);
  }
}

function toJson(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
