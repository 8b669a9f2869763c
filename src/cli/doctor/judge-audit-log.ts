import { formatBytes } from '../../platform/quantity.ts';
import type { AuditVerification } from '../../store/audit-chain.ts';
import { countOf } from '../output/count-of.ts';
import type { Attempt } from './attempt.ts';
import { ok, problem, skipped, warning, type Finding } from './check.ts';

export interface AuditLogFacts {
  /** `timed-out`: too large to be read while somebody waits. null: there is none yet. */
  readonly verification: AuditVerification | 'timed-out' | null;
  readonly availableBytes: number;
}

/** Of some thousand lines. */
const LEAST_SPACE_BYTES = 1024 * 1024;

/** Whether a run could write to the audit log, and whether what is in it follows line from line. */
export function judgeAuditLog(path: string, log: Attempt<AuditLogFacts>): Finding {
  if (!log.ok) {
    return problem(
      `The audit log ${path} cannot be used: ${log.message}`,
      'Runs are refused until it can. Check its folder, its permissions and its filesystem, or name another file.',
    );
  }
  const { verification, availableBytes } = log.value;
  if (verification !== null && verification !== 'timed-out' && !verification.ok) {
    return problem(
      `${path}: line ${String(verification.line)}: ${verification.why}: it was changed, or is damaged`,
      'Keep it as it is: move it away, and the next run begins a new one. `image-cleaner history` tells of the same removals.',
    );
  }
  if (availableBytes < LEAST_SPACE_BYTES) {
    return warning(`${path} has ${formatBytes(availableBytes)} left on its filesystem`, 'Make room, or a run ends without its last lines.');
  }
  if (verification === null) return ok(`None yet at ${path}; the first run makes it`);
  if (verification === 'timed-out') {
    return skipped(
      `${path} can be written to; it is too large to be verified here`,
      `Verify it with \`image-cleaner verify-audit-log ${path}\`.`,
    );
  }
  const torn = verification.isTorn ? '; the last one was not written to its end, and the next run closes it off' : '';
  return ok(`${path} can be written to: ${countOf(verification.lines, 'line')}, each following from the one before${torn}`);
}
