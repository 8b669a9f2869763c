import { RoomError } from '../platform/errors.ts';

/**
 * `bad-usage`: the arguments or the environment. `bad-input`: a mounted file. `bad-message`: what came over a pipe is not whole, or not what was
 * to come. `pipe-failed`: a pipe cannot be made or used, or who was at its other end is gone. `no-verdicts`: nobody judges what was read.
 */
export type WorkerErrorCode = 'bad-usage' | 'bad-input' | 'bad-message' | 'pipe-failed' | 'no-verdicts';

/** A worker cannot do its part: nothing is removed. */
export class WorkerError extends RoomError<WorkerErrorCode> {}
