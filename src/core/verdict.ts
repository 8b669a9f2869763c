import type { ScanPolicy } from '../api/scan-policy.ts';
import { SEVERITIES, type Finding, type ScanReport } from '../api/scan-report.ts';

/** A scan report under a policy. */
export interface Verdict {
  /** The findings that make the image vulnerable, most severe first; those of one severity in the report's order. */
  readonly findings: readonly Finding[];
  /** How many findings the policy leaves out. */
  readonly ignoredFindings: number;
  /** `alpine 3.19`, when the operating system is past its end of life; else null. */
  readonly endOfLifeOs: string | null;
}

/** @param now milliseconds since the epoch: an ignored vulnerability counts again once its expiry has passed. */
export function evaluateReport(report: ScanReport, policy: ScanPolicy, now: number): Verdict {
  const findings = compilePolicy(policy, now).countedFindings(report);
  return { findings, ignoredFindings: report.findings.length - findings.length, endOfLifeOs: endOfLifeOs(report) };
}

/** A policy at one time, ready for many reports: a large node has a million findings. */
export interface CompiledPolicy {
  /** Whether any finding counts. Looks no further than to the first that does. */
  isVulnerable(report: ScanReport): boolean;
  /** As in the verdict. */
  countedFindings(report: ScanReport): readonly Finding[];
}

export function compilePolicy(policy: ScanPolicy, now: number): CompiledPolicy {
  const { severities, packageClasses, ignoreUnfixed, ignoredStatuses } = policy;
  const ignoredIds = new Set(policy.ignoredVulnerabilities.filter((ignored) => !isExpired(ignored.expiresAt, now)).map(({ id }) => id));
  const counts = (finding: Finding): boolean =>
    severities.includes(finding.severity) &&
    packageClasses.includes(finding.packageClass) &&
    !(ignoreUnfixed && finding.fixedVersion === null) &&
    !ignoredStatuses.includes(finding.status) &&
    !ignoredIds.has(finding.id);
  return {
    isVulnerable: ({ findings }) => findings.some(counts),
    countedFindings: ({ findings }) => {
      const counted = findings.filter(counts);
      return SEVERITIES.flatMap((severity) => counted.filter((finding) => finding.severity === severity));
    },
  };
}

export function endOfLifeOs({ os }: ScanReport): string | null {
  return os?.endOfLife === true ? `${os.family} ${os.name}` : null;
}

/** The ignored vulnerabilities that no longer are: to be reported, since their owner may count on them. */
export function expiredIgnores(policy: ScanPolicy, now: number): string[] {
  return policy.ignoredVulnerabilities.filter(({ expiresAt }) => isExpired(expiresAt, now)).map(({ id }) => id);
}

/** An expiry that does not parse never expires here: the image stays; the boundary that reads it refuses it. */
function isExpired(expiresAt: string | null, now: number): boolean {
  return expiresAt !== null && now > Date.parse(expiresAt);
}
