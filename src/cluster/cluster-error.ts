import { RoomError } from '../platform/errors.ts';

/**
 * `several-installations`: it is not known which is meant. `not-installed`: there is none. `bad-value`: what was given is not allowed.
 * `not-ready`: what was asked for is made, but does not come up. `refused`: it is not done, since something would be lost. `not-found`: what was named is not there.
 */
export type ClusterErrorCode = 'several-installations' | 'not-installed' | 'bad-value' | 'not-ready' | 'refused' | 'not-found';

/** An expected end of what an operator asked of a cluster; the message says what is wrong, the hint the next step. */
export class ClusterError extends RoomError<ClusterErrorCode> {}
