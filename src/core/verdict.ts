import type { ScanPolicy } from '../api/scan-policy.ts';
import { SEVERITIES, type Finding, type ScanReport } from '../api/scan-report.ts';
import { compareTexts } from './compare-texts.ts';

/** A scan report under a policy. */
export interface Verdict {
  /** The findings that make the image vulnerable, most severe first, then by id, package and version. */
  readonly findings: readonly Finding[];
  /** How many findings the policy leaves out. */
  readonly ignoredFindings: number;
  /** `alpine 3.19`, when the operating system is past its end of life; else null. */
  readonly endOfLifeOs: string | null;
}

/** @param now milliseconds since the epoch: an ignored vulnerability counts again once its expiry has passed. */
export function evaluateReport(report: ScanReport, policy: ScanPolicy, now: number): Verdict {
  const rank = new Map(policy.severities.map((severity) => [severity, SEVERITIES.indexOf(severity)]));
  const ignoredIds = new Set(policy.ignoredVulnerabilities.filter((ignored) => !isExpired(ignored.expiresAt, now)).map(({ id }) => id));
  const counts = (finding: Finding): boolean =>
    rank.has(finding.severity) &&
    policy.packageClasses.includes(finding.packageClass) &&
    !(policy.ignoreUnfixed && finding.fixedVersion === null) &&
    !policy.ignoredStatuses.includes(finding.status) &&
    !ignoredIds.has(finding.id);
  const findings = report.findings
    .filter(counts)
    .sort((a, b) => (rank.get(a.severity) ?? 0) - (rank.get(b.severity) ?? 0) || compareTexts(sortText(a), sortText(b)));
  const { os } = report;
  return {
    findings,
    ignoredFindings: report.findings.length - findings.length,
    endOfLifeOs: os?.endOfLife === true ? `${os.family} ${os.name}` : null,
  };
}

/** The ignored vulnerabilities that no longer are: to be reported, since their owner may count on them. */
export function expiredIgnores(policy: ScanPolicy, now: number): string[] {
  return policy.ignoredVulnerabilities.filter(({ expiresAt }) => isExpired(expiresAt, now)).map(({ id }) => id);
}

/** An expiry that does not parse never expires here: the image stays; the boundary that reads it refuses it. */
function isExpired(expiresAt: string | null, now: number): boolean {
  return expiresAt !== null && now > Date.parse(expiresAt);
}

function sortText(finding: Finding): string {
  return `${finding.id} ${finding.packageName} ${finding.installedVersion}`;
}
