import { MOST_TRIVY_CALLS_BYTES, TRIVY_CALLS_TYPE } from './trivy-calls.ts';

/** The addresses of the coordinator's HTTP API, which worker pods call, and what a call may cost. Both sides keep to it. */

/** The calls about one node in one run. */
export const RUN_CALLS = ['settings', 'inventory', 'known-reports', 'reports', 'results', 'logs'] as const;

/** Those that go to Trivy's server: its page `version`, and what `trivy-calls.ts` says. */
export const TRIVY_CALLS = ['trivy/calls', 'trivy/version'] as const;
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

/** Below it are the calls that go to Trivy's server. */
export function trivyServerPath({ job, node }: NodeRun): string {
  return `/v1/runs/${encodeURIComponent(job)}/nodes/${encodeURIComponent(node)}/trivy/`;
}

export interface CallLimits {
  readonly method: 'GET' | 'POST';
  /** Of the request's body; a GET has none. */
  readonly maxRequestBytes: number;
  /** `application/json` if not given. */
  readonly requestType?: typeof TRIVY_CALLS_TYPE;
  readonly maxAnswerBytes: number;
  /** From the first byte of the request to the last of the answer. */
  readonly timeLimitMs: number;
}

const KiB = 1024;
const MiB = 1024 * KiB;

/**
 * A node with 1,000 images and 1,000 containers has an inventory of 1 MiB. Results with findings can be larger than 8 MiB: then the worker leaves out
 * the least severe ones. A cluster with 20,000 workloads has settings of 8 MiB.
 */
export const CALL_LIMITS: Readonly<Record<CoordinatorCall, CallLimits>> = {
  settings: { method: 'GET', maxRequestBytes: 0, maxAnswerBytes: 16 * MiB, timeLimitMs: 30_000 },
  inventory: { method: 'POST', maxRequestBytes: 8 * MiB, maxAnswerBytes: 4 * MiB, timeLimitMs: 60_000 },
  'known-reports': { method: 'POST', maxRequestBytes: 512 * KiB, maxAnswerBytes: 8 * MiB, timeLimitMs: 60_000 },
  reports: { method: 'POST', maxRequestBytes: 8 * MiB, maxAnswerBytes: 64 * KiB, timeLimitMs: 60_000 },
  results: { method: 'POST', maxRequestBytes: 8 * MiB, maxAnswerBytes: 64 * KiB, timeLimitMs: 60_000 },
  logs: { method: 'POST', maxRequestBytes: 512 * KiB, maxAnswerBytes: 64 * KiB, timeLimitMs: 30_000 },
  pods: { method: 'GET', maxRequestBytes: 0, maxAnswerBytes: 4 * MiB, timeLimitMs: 30_000 },
  'trivy/calls': {
    method: 'POST',
    requestType: TRIVY_CALLS_TYPE,
    maxRequestBytes: MOST_TRIVY_CALLS_BYTES,
    maxAnswerBytes: 64 * MiB,
    timeLimitMs: 120_000,
  },
  'trivy/version': { method: 'GET', maxRequestBytes: 0, maxAnswerBytes: 64 * KiB, timeLimitMs: 30_000 },
};

/** The file in the folder of the CA bundle that worker pods mount. */
export const CA_BUNDLE_FILE = 'ca.crt';
