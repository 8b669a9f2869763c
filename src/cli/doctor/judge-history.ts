import type { RunRecord } from '../../api/run-record.ts';
import { formatDuration } from '../../platform/duration.ts';
import { formatBytes } from '../../platform/quantity.ts';
import type { IntegrityResult } from '../../store/check-integrity.ts';
import { countOf } from '../output/count-of.ts';
import type { Attempt } from './attempt.ts';
import { ok, problem, skipped, type Finding } from './check.ts';

export interface HistoryFacts {
  readonly path: string;
  /** null: there is none yet. */
  readonly sizeBytes: number | null;
  /** Of `--history-max-size`. */
  readonly mostBytes: number;
  readonly schema: number;
  /** Newest first. */
  readonly runs: readonly RunRecord[];
}

/** null: none is wanted. */
export function judgeHistory(history: Attempt<HistoryFacts> | null): Finding {
  if (history === null) return ok('None is kept (--no-history)');
  if (!history.ok) return problem(history.message, history.hint);
  const { path, sizeBytes, mostBytes, schema, runs } = history.value;
  if (sizeBytes === null) return ok(`None yet at ${path}; the first run makes it`);
  const [last] = runs;
  const which =
    last === undefined ? '' : `; the last, number ${String(last.id)}, began ${new Date(last.startedAt).toISOString()} (${last.state})`;
  const tooLarge =
    sizeBytes > mostBytes ? `; larger than --history-max-size (${formatBytes(mostBytes)}): the next run forgets what is oldest` : '';
  return ok(`${path}: schema ${String(schema)}, ${formatBytes(sizeBytes)}, ${countOf(runs.length, 'run')}${which}${tooLarge}`);
}

export interface IntegrityFacts {
  readonly path: string;
  readonly timeoutMs: number;
  /** null: there is no file. */
  readonly result: IntegrityResult | null;
}

/** null: no history is kept. */
export function judgeIntegrity(facts: IntegrityFacts | null): Finding {
  if (facts === null) return ok('No history is kept (--no-history)');
  const { path, timeoutMs, result } = facts;
  switch (result?.kind) {
    case undefined:
      return ok('There is no history yet');
    case 'whole':
      return ok(`SQLite finds ${path} whole`);
    case 'damaged':
      return problem(
        `${path} is damaged: ${result.faults.join('; ')}`,
        `Restore a copy; or move ${path} away, together with ${path}-wal and ${path}-shm: the next run begins a new history, and all ages begin anew.`,
      );
    case 'timed-out':
      return skipped(
        `${path} could not be checked within ${formatDuration(timeoutMs)}`,
        `To check it however long it takes: \`sqlite3 ${path} 'PRAGMA quick_check'\`.`,
      );
    case 'unreadable':
      return skipped(`${path} cannot be checked now: ${result.message}`);
  }
}
