/** The addresses of the coordinator's HTTP API, which worker pods call, and what a call may cost. Both sides keep to it. */

/** The calls about one node in one run. */
export const RUN_CALLS = ['settings', 'inventory', 'known-reports', 'reports', 'results', 'logs'] as const;

/**
 * Of the interface of Trivy's server, below `trivy/`, what Trivy needs as its client, in Trivy's own forms. Nothing else: what a worker could delete
 * may be of another node.
 */
export const TRIVY_CALLS = [
  'trivy/twirp/trivy.cache.v1.Cache/MissingBlobs',
  'trivy/twirp/trivy.cache.v1.Cache/PutArtifact',
  'trivy/twirp/trivy.cache.v1.Cache/PutBlob',
  'trivy/twirp/trivy.scanner.v1.Scanner/Scan',
  'trivy/version',
  'trivy/healthz',
] as const;
export type TrivyCall = (typeof TRIVY_CALLS)[number];
export type RunCall = (typeof RUN_CALLS)[number] | TrivyCall;

/** `pods`: of the node that the caller runs on. */
export type CoordinatorCall = RunCall | 'pods';

/** What a worker speaks for. */
export interface NodeRun {
  /** The uid of the ImageJob: unlike its name, never used again. */
  readonly job: string;
  readonly node: string;
}

export const PODS_PATH = '/v1/pods';

/** `/v1/runs/6a0f…/nodes/node-1/results`. */
export function runCallPath({ job, node }: NodeRun, call: RunCall): string {
  return `/v1/runs/${encodeURIComponent(job)}/nodes/${encodeURIComponent(node)}/${call}`;
}

/** What reports call the Trivy server of the cluster by, which each worker finds at an address of its own. */
export const TRIVY_SERVER_NAME = 'cluster';

/** What Trivy as a client takes for the address of its server. */
export function trivyServerPath({ job, node }: NodeRun): string {
  return `/v1/runs/${encodeURIComponent(job)}/nodes/${encodeURIComponent(node)}/trivy/`;
}

export interface CallLimits {
  readonly method: 'GET' | 'POST';
  /** Of the request's body; a GET has none. */
  readonly maxRequestBytes: number;
  /** `application/json` if not given. */
  readonly requestType?: 'application/protobuf';
  readonly maxAnswerBytes: number;
  /** From the first byte of the request to the last of the answer. */
  readonly timeLimitMs: number;
}

const KiB = 1024;
const MiB = 1024 * KiB;

const TRIVY_RPC = { method: 'POST', requestType: 'application/protobuf', timeLimitMs: 60_000 } as const;
const TRIVY_PAGE = { method: 'GET', maxRequestBytes: 0, maxAnswerBytes: 64 * KiB, timeLimitMs: 30_000 } as const;

/**
 * A node with 1,000 images and 1,000 containers has an inventory of 1 MiB. Results with findings can be larger than 8 MiB: then the worker leaves out
 * the least severe ones. A cluster with 20,000 workloads has settings of 8 MiB. What Trivy reads out of a layer of 1,000 packages has half a MiB.
 */
export const CALL_LIMITS: Readonly<Record<CoordinatorCall, CallLimits>> = {
  settings: { method: 'GET', maxRequestBytes: 0, maxAnswerBytes: 16 * MiB, timeLimitMs: 30_000 },
  inventory: { method: 'POST', maxRequestBytes: 8 * MiB, maxAnswerBytes: 4 * MiB, timeLimitMs: 60_000 },
  'known-reports': { method: 'POST', maxRequestBytes: 512 * KiB, maxAnswerBytes: 8 * MiB, timeLimitMs: 60_000 },
  reports: { method: 'POST', maxRequestBytes: 8 * MiB, maxAnswerBytes: 64 * KiB, timeLimitMs: 60_000 },
  results: { method: 'POST', maxRequestBytes: 8 * MiB, maxAnswerBytes: 64 * KiB, timeLimitMs: 60_000 },
  logs: { method: 'POST', maxRequestBytes: 512 * KiB, maxAnswerBytes: 64 * KiB, timeLimitMs: 30_000 },
  pods: { method: 'GET', maxRequestBytes: 0, maxAnswerBytes: 4 * MiB, timeLimitMs: 30_000 },
  'trivy/twirp/trivy.cache.v1.Cache/MissingBlobs': { ...TRIVY_RPC, maxRequestBytes: 256 * KiB, maxAnswerBytes: 256 * KiB },
  'trivy/twirp/trivy.cache.v1.Cache/PutArtifact': { ...TRIVY_RPC, maxRequestBytes: 2 * MiB, maxAnswerBytes: 64 * KiB },
  'trivy/twirp/trivy.cache.v1.Cache/PutBlob': { ...TRIVY_RPC, maxRequestBytes: 32 * MiB, maxAnswerBytes: 64 * KiB },
  'trivy/twirp/trivy.scanner.v1.Scanner/Scan': { ...TRIVY_RPC, maxRequestBytes: 256 * KiB, maxAnswerBytes: 64 * MiB },
  'trivy/version': TRIVY_PAGE,
  'trivy/healthz': TRIVY_PAGE,
};

/** The file in the folder of the CA bundle that worker pods mount. */
export const CA_BUNDLE_FILE = 'ca.crt';
