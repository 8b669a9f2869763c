import { RoomError } from '../../platform/errors.ts';

/**
 * `unreachable`, `untrusted` (TLS), `timeout`: no answer. `away`: one that says to come again later. `bad-answer`: one that is not the coordinator's.
 * `refused`: it will not be another one next time. `run-ended`: the run is over, whatever this worker has still to do. `no-credentials`: the token or
 * the CA bundle cannot be read. `too-large`: the call is larger than any that is taken.
 */
export type CoordinatorErrorCode =
  'unreachable' | 'untrusted' | 'timeout' | 'away' | 'bad-answer' | 'refused' | 'run-ended' | 'no-credentials' | 'too-large';

/** A worker got no answer that it can go by: then nothing is removed. The message names the call and the coordinator's address, and never the token. */
export class CoordinatorError extends RoomError<CoordinatorErrorCode> {
  /** How long the coordinator wants to be left alone, if it said so. */
  readonly retryAfterMs: number;
  /** Of a refusal: the `ProblemCode`. */
  readonly problem: string | null;

  constructor({ retryAfterMs = 0, problem = null, ...details }: CoordinatorErrorDetails) {
    super(details);
    this.retryAfterMs = retryAfterMs;
    this.problem = problem;
  }
}

export type CoordinatorErrorDetails = ConstructorParameters<typeof RoomError<CoordinatorErrorCode>>[0] & {
  readonly retryAfterMs?: number;
  readonly problem?: string | null;
};
