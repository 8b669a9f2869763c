import { type ErrorDetails, RoomError } from '../platform/errors.ts';
import type { ApiStatus } from './api-status.ts';

/**
 * `no-cluster`, `invalid-kubeconfig`, `credentials-failed`: there is no way to a cluster, or nothing to show to it.
 * `unreachable`, `untrusted` (TLS), `timeout`: no answer. `bad-answer`: one that is not Kubernetes'.
 * All others are answers: `gone` that history (a resourceVersion, a continue token) is no longer kept; `conflict` that another was first;
 * `refused` one of the rare others.
 */
export type KubeErrorCode =
  | 'no-cluster'
  | 'invalid-kubeconfig'
  | 'credentials-failed'
  | 'unreachable'
  | 'untrusted'
  | 'timeout'
  | 'bad-answer'
  | 'unauthorized'
  | 'forbidden'
  | 'not-found'
  | 'already-exists'
  | 'conflict'
  | 'gone'
  | 'invalid'
  | 'throttled'
  | 'server-error'
  | 'refused';

export interface KubeErrorDetails extends ErrorDetails<KubeErrorCode> {
  readonly status?: ApiStatus;
  readonly retryAfterMs?: number | undefined;
  readonly notExecuted?: boolean;
}

/** A fault of the Kubernetes API or of the way to it. The message names verb, resource and API server, `hint` the next step. */
export class KubeError extends RoomError<KubeErrorCode> {
  /** What the API server answered, if it did. */
  readonly status: ApiStatus | undefined;
  /** How long the API server wants to be left alone, if it said so. */
  readonly retryAfterMs: number | undefined;
  /** The API server has certainly not carried the request out: it may be repeated, whatever it is. */
  readonly notExecuted: boolean;

  constructor(details: KubeErrorDetails) {
    super(details);
    this.status = details.status;
    this.retryAfterMs = details.retryAfterMs;
    this.notExecuted = details.notExecuted ?? false;
  }
}

export function hasCode(error: unknown, ...codes: readonly KubeErrorCode[]): error is KubeError {
  return error instanceof KubeError && codes.includes(error.code);
}
