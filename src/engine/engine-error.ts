import { RoomError } from '../platform/errors.ts';

/** `no-filesystem`: a disk threshold was asked for, and the runtime's image filesystem cannot be read. */
export type EngineErrorCode = 'no-filesystem';

/** A run cannot be decided on: nothing is removed. */
export class EngineError extends RoomError<EngineErrorCode> {}
