import { SCANS_TYPE } from './scans-call.ts';

/** The addresses of the coordinator's HTTP API, which worker pods call, and what a call may cost. Both sides keep to it. */

/** The calls about one node in one run. */
export const RUN_CALLS = ['settings', 'inventory', 'scans', 'results', 'logs'] as const;
export type RunCall = (typeof RUN_CALLS)[number];

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

/** What reports call the Trivy server of the cluster by. */
export const TRIVY_SERVER_NAME = 'cluster';

export interface CallLimits {
  readonly method: 'GET' | 'POST';
  /** Of the request's body; a GET has none. */
  readonly maxRequestBytes: number;
  /** `application/json` if not given. */
  readonly requestType?: typeof SCANS_TYPE;
  readonly maxAnswerBytes: number;
  /** From the first byte of the request to the last of the answer. */
  readonly timeLimitMs: number;
}

const KiB = 1024;
const MiB = 1024 * KiB;

/**
 * A node with 1,000 images and 1,000 containers has an inventory of 1 MiB. Results with findings can be larger than 8 MiB: then the worker leaves out
 * the least severe ones. A cluster with 20,000 workloads has settings of 8 MiB. What was read of an image with 10,000 packages has some 5 MiB.
 */
export const CALL_LIMITS: Readonly<Record<CoordinatorCall, CallLimits>> = {
  settings: { method: 'GET', maxRequestBytes: 0, maxAnswerBytes: 16 * MiB, timeLimitMs: 30_000 },
  inventory: { method: 'POST', maxRequestBytes: 8 * MiB, maxAnswerBytes: 4 * MiB, timeLimitMs: 60_000 },
  results: { method: 'POST', maxRequestBytes: 8 * MiB, maxAnswerBytes: 64 * KiB, timeLimitMs: 60_000 },
  logs: { method: 'POST', maxRequestBytes: 512 * KiB, maxAnswerBytes: 64 * KiB, timeLimitMs: 30_000 },
  pods: { method: 'GET', maxRequestBytes: 0, maxAnswerBytes: 4 * MiB, timeLimitMs: 30_000 },
  scans: { method: 'POST', requestType: SCANS_TYPE, maxRequestBytes: 32 * MiB, maxAnswerBytes: 16 * MiB, timeLimitMs: 120_000 },
};

/** The file in the folder of the CA bundle that worker pods mount. */
export const CA_BUNDLE_FILE = 'ca.crt';
