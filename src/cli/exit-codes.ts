/** Documented in README and in `--help`. */
export const EXIT = {
  done: 0,
  /** Something failed; what was removed is reported. */
  failed: 1,
  badUsage: 2,
  /** Nothing was removed: not confirmed, or it could not be decided safely. */
  refused: 3,
  /** Stopped by an interrupt, after the removals in hand (128 + SIGINT). */
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
