import type { Decision } from '../api/decision.ts';
import type { UnscannedReason } from '../api/scan-report.ts';

/**
 * Reasons that are a lasting state, not something that went wrong: incomplete content is usual where a runtime discards unpacked layers, the
 * scanner may not know the runtime, and what the policy keeps or nobody asked to scan is as it should be.
 */
const EXPECTED: ReadonlySet<UnscannedReason> = new Set<UnscannedReason>([
  'content-missing',
  'no-scannable-name',
  'unsupported-runtime',
  'unscannable',
  'not-scanned',
]);

/** The images that stay only because their scan went wrong: the run did not do all that it was asked to. */
export function failedScans(decisions: readonly Decision[]): Decision[] {
  return decisions.filter(({ reason }) => reason.code === 'unscanned' && !EXPECTED.has(reason.why));
}
