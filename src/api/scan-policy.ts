import { PACKAGE_CLASSES, SEVERITIES, type FindingStatus, type PackageClass, type Severity } from './scan-report.ts';

export interface IgnoredVulnerability {
  readonly id: string;
  /** Why it may be ignored, for the record. */
  readonly statement: string;
  /** ISO 8601 date or time after which it counts again; null: never. */
  readonly expiresAt: string | null;
}

/** Which findings make an image go. Applied to a report after the scan, so that a change of policy scans nothing. */
export interface ScanPolicy {
  readonly severities: readonly Severity[];
  readonly packageClasses: readonly PackageClass[];
  /** Leave out findings without a fixed version. */
  readonly ignoreUnfixed: boolean;
  readonly ignoredStatuses: readonly FindingStatus[];
  readonly ignoredVulnerabilities: readonly IgnoredVulnerability[];
  readonly removeEndOfLife: boolean;
  readonly removeUnscannable: boolean;
}

/** Eraser's defaults (`components.scanner.config`): the four named severities, both classes, end-of-life and unscannable images go. */
export const DEFAULT_SCAN_POLICY: ScanPolicy = {
  severities: SEVERITIES.filter((severity) => severity !== 'UNKNOWN'),
  packageClasses: PACKAGE_CLASSES,
  ignoreUnfixed: false,
  ignoredStatuses: [],
  ignoredVulnerabilities: [],
  removeEndOfLife: true,
  removeUnscannable: true,
};
