/** As those of the command line, except that a container is stopped by SIGTERM. */
export const EXIT = {
  done: 0,
  /** Something failed; what was removed is reported. */
  failed: 1,
  badUsage: 2,
  /** Nothing was removed: it could not be decided safely. */
  refused: 3,
  interrupted: 143,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
