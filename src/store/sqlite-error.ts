import { hasNoSpace } from './has-no-space.ts';
import { HistoryError, historyError, type HistoryErrorCode } from './history-error.ts';

/** The primary result codes of SQLite (https://sqlite.org/rescode.html) that say more than that something failed. */
const CODES: Readonly<Record<number, { readonly code: HistoryErrorCode; readonly what: string }>> = {
  3: { code: 'unreadable', what: 'may not be read' },
  5: { code: 'busy', what: 'is being written by another process for too long' },
  6: { code: 'busy', what: 'is being written by another process for too long' },
  8: { code: 'read-only', what: 'cannot be written to' },
  10: { code: 'unreadable', what: 'cannot be read: the disk reports a fault' },
  11: { code: 'corrupt', what: 'is damaged' },
  13: { code: 'full', what: 'cannot be written to: no space is left on its filesystem' },
  14: { code: 'unreadable', what: 'cannot be opened' },
  26: { code: 'foreign', what: 'is not an SQLite file' },
};

/**
 * The faults of input and output (extended codes of 10) that come of writing: a full disk shows itself in these as often as in 13, since the
 * system tells of it only when a file is made larger, shared memory is laid out, or what was written is synced. A broken disk does so, too.
 */
const WRITE_FAULTS = new Set([778, 1034, 1290, 1546, 4618, 4874, 5386]);

/** The same of the file system, where the database does not come to it. */
const FILE_CODES: Readonly<Record<string, HistoryErrorCode>> = { ENOSPC: 'full', EDQUOT: 'full', EROFS: 'read-only' };

/** Anything that the database or the file system threw, as a `HistoryError` about this file. */
export function asHistoryError(error: unknown, path: string): HistoryError {
  if (error instanceof HistoryError) return error;
  const errcode = resultCode(error);
  const text = error instanceof Error ? error.message : String(error);
  if (WRITE_FAULTS.has(errcode)) return writeFault(path, text, error);
  const known = CODES[errcode & 0xff];
  if (known === undefined) return historyError(fileCode(error), `the history ${path} cannot be used: ${text}`, error);
  return historyError(known.code, `the history ${path} ${known.what} (${text})`, error);
}

function writeFault(path: string, text: string, cause: unknown): HistoryError {
  if (hasNoSpace(path))
    return historyError('full', `the history ${path} cannot be written to: no space is left on its filesystem (${text})`, cause);
  return historyError('unreadable', `the history ${path} cannot be written to: the disk reports a fault (${text})`, cause);
}

function resultCode(error: unknown): number {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode : 0;
}

function fileCode(error: unknown): HistoryErrorCode {
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? FILE_CODES[error.code] : undefined;
  return code ?? 'unreadable';
}
