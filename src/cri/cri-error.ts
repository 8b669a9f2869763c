import { RoomError } from '../platform/errors.ts';

/**
 * `no-endpoint`: no socket was named and none found. `invalid-endpoint`, `invalid-config`: what names the socket cannot be used.
 * `no-socket`, `permission-denied`, `not-a-runtime`, `unsupported-version`: the first contact failed, and a retry would not help.
 * `unavailable`, `deadline-exceeded`: the runtime may come back. `not-found`, `not-implemented`, `invalid-argument`, `call-failed`: it answered with an error.
 */
export type CriErrorCode =
  | 'no-endpoint'
  | 'invalid-endpoint'
  | 'invalid-config'
  | 'no-socket'
  | 'permission-denied'
  | 'not-a-runtime'
  | 'unsupported-version'
  | 'unavailable'
  | 'deadline-exceeded'
  | 'not-found'
  | 'not-implemented'
  | 'invalid-argument'
  | 'call-failed';

/** A fault of the container runtime or of the way to it. The message names the socket or file, `hint` the next step. */
export class CriError extends RoomError<CriErrorCode> {}

/** Whether the runtime answered that it does not have what was asked for. */
export function isNotFound(error: unknown): boolean {
  return error instanceof CriError && error.code === 'not-found';
}

/** Whether the runtime does not offer the service or call at all. */
export function isNotImplemented(error: unknown): boolean {
  return error instanceof CriError && error.code === 'not-implemented';
}
