import { RoomError } from '../platform/errors.ts';

/**
 * `several-installations`: it is not known which is meant. `not-installed`: there is none. `not-found`: what was named is not there.
 * `bad-value`: what was given is not allowed. `not-ready`: what was asked for is made, but does not come up. `unfit`: the cluster or its user lack
 * what it takes; nothing was changed. `refused`: it is not done, since something would be lost.
 */
export type ClusterErrorCode = 'several-installations' | 'not-installed' | 'not-found' | 'bad-value' | 'not-ready' | 'unfit' | 'refused';

/** An expected end of what an operator asked of a cluster; the message says what is wrong, the hint the next step. */
export class ClusterError extends RoomError<ClusterErrorCode> {}
