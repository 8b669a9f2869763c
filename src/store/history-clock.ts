import type { BootReading } from '../platform/boot-clock.ts';

/**
 * The history's own time, in milliseconds since the first entry of the file. It only moves forward, and a step of the wall clock does not move
 * it: what an age is reckoned by must be neither, or a wrong clock would make every image old, or none.
 */
export interface ClockReading extends BootReading {
  readonly wallAt: number;
}

/**
 * The longest time between two entries that is believed of the wall clock, when the machine was started anew meanwhile. Runs are at most three
 * months apart; a clock that was wrong before or after its battery or its time server came back is mostly wrong by years.
 */
const MOST_BELIEVED_MS = 100 * 86_400_000;

/**
 * How much time has gone by between two readings; never negative. `mayMove`: they may be of two machines, and then the uptime of one says nothing
 * of the time since a reading on the other.
 */
export function elapsedBetween(last: ClockReading, now: ClockReading, mayMove = false): number {
  const wallMs = now.wallAt - last.wallAt;
  const believedMs = wallMs >= 0 && wallMs <= MOST_BELIEVED_MS ? wallMs : 0;
  // The machine was started after the last reading, so its uptime has gone by in any case.
  if (now.bootId !== last.bootId) return mayMove ? believedMs : Math.max(believedMs, now.uptimeMs, 0);
  // In some containers the uptime is the container's own and starts anew within one boot; and not every system has a boot id.
  if (now.bootId === '' || now.uptimeMs < last.uptimeMs) return believedMs;
  return now.uptimeMs - last.uptimeMs;
}
