import { toCriError, isTransient } from './call-error.ts';
import { Containers } from './gen/containerd_containers_pb.js';
import { Content } from './gen/containerd_content_pb.js';
import { Snapshots } from './gen/containerd_snapshots_pb.js';
import { ImageService, RuntimeService } from './gen/cri_pb.js';
import { RuntimeService as OldRuntimeService } from './gen/cri_v1alpha2_pb.js';
import { createGrpcClient, type CallOptions, type GrpcClient } from './grpc-client.ts';
import { retryWithin, SYSTEM_TIMING, type RetryTiming } from './retry.ts';
import { UnixSession } from './unix-session.ts';

export interface RuntimeConnectionOptions {
  readonly socketPath: string;
  /** Of each attempt of a call, milliseconds. */
  readonly deadlineMs?: number;
  /** How long a call is repeated while the runtime is away, milliseconds. */
  readonly retryBudgetMs?: number;
  readonly timing?: RetryTiming;
}

export interface CallPolicy {
  readonly deadlineMs: number;
  readonly isTransient: (error: unknown) => boolean;
}

/** As the kubelet's `runtimeRequestTimeout`: a removal on a busy disk takes long. */
const DEADLINE_MS = 120_000;
/** A restart of containerd takes seconds, on a node with hundreds of containers some more. */
const RETRY_BUDGET_MS = 30_000;

/** The services behind a runtime's socket, and the one way to call them: with a deadline, and again while the runtime is away. */
export class RuntimeConnection {
  readonly socketPath: string;
  readonly runtime: GrpcClient<typeof RuntimeService>;
  readonly oldRuntime: GrpcClient<typeof OldRuntimeService>;
  readonly images: GrpcClient<typeof ImageService>;
  readonly containers: GrpcClient<typeof Containers>;
  readonly content: GrpcClient<typeof Content>;
  readonly snapshots: GrpcClient<typeof Snapshots>;
  readonly #session: UnixSession;
  readonly #deadlineMs: number;
  readonly #retryBudgetMs: number;
  readonly #timing: RetryTiming;

  constructor(options: RuntimeConnectionOptions) {
    this.socketPath = options.socketPath;
    this.#deadlineMs = options.deadlineMs ?? DEADLINE_MS;
    this.#retryBudgetMs = options.retryBudgetMs ?? RETRY_BUDGET_MS;
    this.#timing = options.timing ?? SYSTEM_TIMING;
    this.#session = new UnixSession(options.socketPath);
    this.runtime = createGrpcClient(RuntimeService, this.#session);
    this.oldRuntime = createGrpcClient(OldRuntimeService, this.#session);
    this.images = createGrpcClient(ImageService, this.#session);
    this.containers = createGrpcClient(Containers, this.#session);
    this.content = createGrpcClient(Content, this.#session);
    this.snapshots = createGrpcClient(Snapshots, this.#session);
  }

  /** Calls, and calls again while the runtime is away: only for what may happen twice. Throws a CriError, or the signal's reason. */
  call<T>(name: string, signal: AbortSignal, attempt: (options: CallOptions) => Promise<T>): Promise<T> {
    return this.#named(name, signal, this.attempt(signal, { deadlineMs: this.#deadlineMs, isTransient }, attempt));
  }

  /** As `call`, but once: for what must not happen again without another look. */
  callOnce<T>(name: string, signal: AbortSignal, attempt: (options: CallOptions) => Promise<T>): Promise<T> {
    return this.#named(name, signal, this.attempt(signal, { deadlineMs: this.#deadlineMs, isTransient: () => false }, attempt));
  }

  /** As `call`, with a policy of the caller's own, and throwing what the transport throws. */
  attempt<T>(signal: AbortSignal, policy: CallPolicy, attempt: (options: CallOptions) => Promise<T>): Promise<T> {
    return retryWithin({ budgetMs: this.#retryBudgetMs, timing: this.#timing, signal, isTransient: policy.isTransient }, () =>
      attempt({ signal, timeoutMs: Math.min(policy.deadlineMs, this.#deadlineMs) }),
    );
  }

  async #named<T>(call: string, signal: AbortSignal, answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      signal.throwIfAborted();
      throw toCriError(error, { call, socketPath: this.socketPath });
    }
  }

  close(): void {
    this.#session.close();
  }
}
