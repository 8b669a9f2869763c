import type { NodeRun } from '../api/coordinator/coordinator-api.ts';
import type { ReviewedToken, Worker, WorkerPodRecord } from './ports.ts';
import { refuse, type Refusal } from './refusal.ts';

/** Whom the coordinator listens to. */
export interface WorkerCredentials {
  /** What a worker's token must be meant for. */
  readonly audience: string;
  /** `system:serviceaccount:eraser-system:eraser-imagejob-pods`. */
  readonly username: string;
}

const EXTRA = {
  podName: 'authentication.kubernetes.io/pod-name',
  podUid: 'authentication.kubernetes.io/pod-uid',
  nodeName: 'authentication.kubernetes.io/node-name',
} as const;

/** What a valid token says of who has it. */
export interface TokenClaims {
  readonly podName: string;
  readonly podUid: string;
  /** null: an API server before 1.30 does not say. */
  readonly node: string | null;
}

const ALLOWED_TOKENS = 'The token that is mounted into a worker pod of a run that goes on, as an Authorization header of the type Bearer.';
const ALLOWED_CALLERS = 'A worker pod may ask and tell about its own node and run only, for as long as the run goes on.';

/** What the token proves by itself, as its signature or the API server tells it. */
export function readClaims(
  review: ReviewedToken,
  { audience, username }: WorkerCredentials,
): ({ readonly kind: 'claims' } & TokenClaims) | Refusal {
  if (review.outcome === 'rejected') {
    return refuse('token-rejected', { detail: `The API server does not take the token: ${review.reason}.`, allowed: ALLOWED_TOKENS });
  }
  if (!review.audiences.includes(audience)) {
    return refuse('other-audience', { detail: `The token is not meant for ${audience}.`, allowed: ALLOWED_TOKENS });
  }
  if (review.username !== username) {
    return refuse('other-account', { detail: `The token is of ${review.username}, not of the worker pods.`, allowed: ALLOWED_TOKENS });
  }
  const podName = only(review.extra[EXTRA.podName]);
  const podUid = only(review.extra[EXTRA.podUid]);
  if (podName === null || podUid === null) {
    return refuse('unbound-token', { detail: 'The token is not bound to a pod.', allowed: ALLOWED_TOKENS });
  }
  const node = review.extra[EXTRA.nodeName];
  // Said more than once, it is no node's name: what follows finds it to be another.
  return { kind: 'claims', podName, podUid, node: node === undefined || node.length === 0 ? null : node.join(' ') };
}

/** Whether what the token says fits a pod of ours, and what it speaks for then. `asked`: what its call is about; null: its own node. */
export function identifyWorker(
  claims: TokenClaims,
  pod: WorkerPodRecord | null,
  asked: NodeRun | null,
): { readonly kind: 'worker'; readonly worker: Worker; readonly pod: WorkerPodRecord } | Refusal {
  if (pod === null || pod.uid !== claims.podUid || pod.name !== claims.podName) {
    return refuse('unknown-pod', { detail: `${claims.podName} is no worker pod of a run that goes on.`, allowed: ALLOWED_TOKENS });
  }
  if (pod.isFinished) return refuse('pod-finished', { detail: `The pod ${pod.name} has ended.`, allowed: ALLOWED_CALLERS });
  if (pod.node === null) {
    const detail = `It is not known yet which node the pod ${pod.name} is bound to.`;
    return refuse('unavailable', { detail, allowed: 'The same call, in a moment.', retryAfterSeconds: 1 });
  }
  if (claims.node !== null && claims.node !== pod.node) {
    const detail = `The token is of node ${claims.node}, its pod is bound to ${pod.node}.`;
    return refuse('other-node', { detail, allowed: ALLOWED_CALLERS });
  }
  if (asked !== null && asked.node !== pod.node) {
    return refuse('other-node', {
      detail: `The call is about node ${asked.node}, the caller is on ${pod.node}.`,
      allowed: ALLOWED_CALLERS,
    });
  }
  if (asked !== null && asked.job !== pod.job) {
    return refuse('other-run', {
      detail: `The call is about the run ${asked.job}, the caller is part of ${pod.job}.`,
      allowed: ALLOWED_CALLERS,
    });
  }
  return { kind: 'worker', worker: { job: pod.job, node: pod.node, podName: pod.name, podUid: pod.uid }, pod };
}

export function runEnded({ job }: NodeRun): Refusal {
  return refuse('run-ended', { detail: `The run ${job} is over.`, allowed: ALLOWED_CALLERS });
}

function only(values: readonly string[] | undefined): string | null {
  const [first, ...others] = values ?? [];
  return first === undefined || first === '' || others.length > 0 ? null : first;
}
