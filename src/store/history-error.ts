import { RoomError } from '../platform/errors.ts';

/**
 * `unreadable`: no permission, something else in its place, others may change it, a fault of the disk. `read-only`: it can be read but not written. `full`: no space is left.
 * `away`: its server cannot be reached, or does not answer. `corrupt`: damaged. `foreign`: no history of Image Cleaner. `newer`: made by a later version. `older`: by an earlier one, and it may not be
 * brought up to date here. `other-cluster`: of another one than the manager's. `busy`: another process writes for longer than is waited. `locked`: another run holds it.
 */
export type HistoryErrorCode =
  'unreadable' | 'read-only' | 'full' | 'away' | 'corrupt' | 'foreign' | 'newer' | 'older' | 'other-cluster' | 'busy' | 'locked';

/** The history cannot do what was asked of it; the message names its file or server. */
export class HistoryError extends RoomError<HistoryErrorCode> {}

const HINTS: Readonly<Record<HistoryErrorCode, string>> = {
  unreadable: 'Check the path of the history, its permissions and its disk.',
  'read-only': 'Give the history a place that can be written to.',
  full: 'Make room on the filesystem of the history, or give the history another place.',
  away: 'Check that the server of the history runs, and can be reached from here. It is tried again.',
  corrupt: 'Move the file away, together with those of the same name that end in -wal and -shm, to begin a new history; or restore a copy.',
  foreign: 'Give the history a path of its own.',
  newer: 'Use that version of image-cleaner or a later one, or give this one another path for its history.',
  older: 'Run image-cleaner once with the right to write to the file, which brings it up to date.',
  'other-cluster': 'Give each cluster a history of its own.',
  busy: 'Try again when the other process is done.',
  locked: 'Wait until that run has ended: one run at a time cleans a node.',
};

/** What may pass by itself. */
const TRANSIENT: readonly HistoryErrorCode[] = ['full', 'away', 'busy', 'locked'];

/** `hint`: instead of the usual one. */
export function historyError(code: HistoryErrorCode, message: string, cause?: unknown, hint = HINTS[code]): HistoryError {
  return new HistoryError({ code, message, hint, action: TRANSIENT.includes(code) ? 'retry' : 'give-up', cause });
}
