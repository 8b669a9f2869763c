import type { RuntimeVersion } from '../../api/inventory.ts';
import type { DecisionRecord, RunEnd } from '../../api/run-record.ts';
import { SEVERITIES, type Finding, type ScannerInfo } from '../../api/scan-report.ts';
import { CoordinatorError } from './coordinator-error.ts';

/** What came of a run on a node, with the times by the node's clock. */
export interface ReportedResult extends RunEnd {
  readonly startedAt: number;
  readonly mode: 'automatic' | 'manual';
  /** null: the runtime was not reached. */
  readonly runtime: RuntimeVersion | null;
  /** null: the verdicts are of no scanner of ours, or none was needed. */
  readonly scanner: ScannerInfo | null;
  readonly decisions: readonly Omit<DecisionRecord, 'runId'>[];
}

/**
 * The results as JSON of at most so many bytes. Where they are larger, the findings that are reasons for removals are cut to so many for each image,
 * the most severe ones; every decision stays, and how many findings were left out is told.
 */
export function fitResults(result: ReportedResult, mostBytes: number): Buffer {
  const found = result.decisions.map(({ ruling }) => findingsOf(ruling).length);
  const most = Math.max(0, ...found);
  for (let kept = most; ; kept = Math.floor(kept / 2)) {
    const omittedFindings = found.reduce((sum, count) => sum + Math.max(0, count - kept), 0);
    const body = Buffer.from(
      JSON.stringify({ ...result, decisions: result.decisions.map((decision) => cut(decision, kept)), omittedFindings }),
    );
    if (body.length <= mostBytes) return body;
    if (kept > 0) continue;
    const message = `the results of ${result.decisions.length} images have ${body.length} bytes without any finding; ${mostBytes} can be sent`;
    throw new CoordinatorError({ code: 'too-large', message });
  }
}

type ReportedDecision = ReportedResult['decisions'][number];

function findingsOf({ reason }: ReportedDecision['ruling']): readonly Finding[] {
  return reason.code === 'vulnerable' ? reason.findings : [];
}

function cut(decision: ReportedDecision, kept: number): ReportedDecision {
  const { ruling } = decision;
  if (ruling.reason.code !== 'vulnerable' || ruling.reason.findings.length <= kept) return decision;
  const bySeverity = (a: Finding, b: Finding): number => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity);
  const findings = ruling.reason.findings.toSorted(bySeverity).slice(0, kept);
  return { ...decision, ruling: { outcome: 'remove', reason: { code: 'vulnerable', findings } } };
}
