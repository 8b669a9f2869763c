/** What the coordinator puts up with. The calls' own limits are part of the API (`CALL_LIMITS`). */
export interface CoordinatorLimits {
  readonly maxConnections: number;
  /** Several nodes may share one where their traffic is translated on the way. */
  readonly maxConnectionsPerAddress: number;
  readonly maxHeaderBytes: number;
  /** From the connection, or from the request before on it, to the last header. */
  readonly headersTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  /** How long a body may take once it was asked for. */
  readonly bodyTimeoutMs: number;
  /** How often connections are looked at for those that have run out of time. */
  readonly checkIntervalMs: number;
  /** Bodies of requests and answers in memory at once. */
  readonly maxBytesInFlight: number;
  readonly maxCalls: number;
  readonly maxCallsPerWorker: number;
  /** Of these two, scans have their own, so that they keep nobody from telling what was removed. Most of those calls only wait. */
  readonly maxScansCalls: number;
  readonly maxScansBytesInFlight: number;
  /** What was read of images is judged for so many calls at once. */
  readonly maxJudgements: number;
  /** Calls of one worker: as many at once, and then so many each second. */
  readonly worker: { readonly burst: number; readonly perSecond: number };
  /** Refusals for want of a valid token, of one address: each may cost the API server a TokenReview. */
  readonly refusals: { readonly burst: number; readonly perSecond: number };
  /** Questions to the API server at once, of each kind. */
  readonly maxReviews: number;
  readonly maxPodReads: number;
  /** What is kept of one container's log. */
  readonly maxLogBytes: number;
}

const MiB = 1024 * 1024;

/** For a run that has 200 nodes in flight, of which each has three callers. */
export const DEFAULT_LIMITS: CoordinatorLimits = {
  maxConnections: 2_048,
  maxConnectionsPerAddress: 512,
  maxHeaderBytes: 16 * 1024,
  headersTimeoutMs: 10_000,
  keepAliveTimeoutMs: 60_000,
  bodyTimeoutMs: 30_000,
  checkIntervalMs: 2_000,
  maxBytesInFlight: 96 * MiB,
  maxCalls: 512,
  maxCallsPerWorker: 16,
  maxScansCalls: 1_024,
  maxScansBytesInFlight: 64 * MiB,
  maxJudgements: 4,
  worker: { burst: 400, perSecond: 200 },
  refusals: { burst: 50, perSecond: 1 },
  maxReviews: 16,
  maxPodReads: 16,
  maxLogBytes: 4 * MiB,
};
