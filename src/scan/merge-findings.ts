import { FINDING_STATUSES, SEVERITIES, type Finding, type PackageClass } from '../api/scan-report.ts';

/** Trivy's `Class` of a result; other classes (secrets, licences, misconfiguration) hold no vulnerable packages. */
export const PACKAGE_CLASS: Readonly<Record<string, PackageClass>> = { 'os-pkgs': 'os', 'lang-pkgs': 'library' };

/** A finding as Trivy gives it: a library that lies at several paths has several. */
export interface RawFinding extends Finding {
  readonly packageId: string;
  readonly packagePath: string;
}

/**
 * One finding for each vulnerability of a package, in an order that depends on nothing else. Where several say something different of the same,
 * the choice is Trivy's own within one path, and as fixed between paths, so that a server's verdict and the report that Trivy makes of it come
 * to the same.
 */
export function mergeFindings(results: readonly (readonly RawFinding[])[]): Finding[] {
  const merged = new Map<string, Finding>();
  for (const raw of results.flatMap(dropRepeated)) {
    const finding = findingOf(raw);
    const key = keyOf(finding);
    const other = merged.get(key);
    if (other === undefined || compareClaims(other, finding) < 0) merged.set(key, finding);
  }
  return [...merged].toSorted(([a], [b]) => compare(a, b)).map(([, finding]) => finding);
}

/** Trivy's own rule for the findings of one result: of those on one package at one path, the first with the greatest fixed version, as text. */
function dropRepeated(findings: readonly RawFinding[]): RawFinding[] {
  const kept = new Map<string, RawFinding>();
  for (const finding of findings) {
    const key = [finding.id, finding.packageId, finding.packageName, finding.installedVersion, finding.packagePath].join('/');
    const other = kept.get(key);
    if (other === undefined || compare(other.fixedVersion ?? '', finding.fixedVersion ?? '') < 0) kept.set(key, finding);
  }
  return [...kept.values()];
}

function findingOf({ id, packageName, packageClass, installedVersion, fixedVersion, severity, status }: RawFinding): Finding {
  return { id, packageName, packageClass, installedVersion, fixedVersion, severity, status };
}

function keyOf({ packageClass, packageName, installedVersion, id }: Finding): string {
  return JSON.stringify([packageName, installedVersion, packageClass, id]);
}

function compareClaims(a: Finding, b: Finding): number {
  return (
    compare(a.fixedVersion ?? '', b.fixedVersion ?? '') ||
    SEVERITIES.indexOf(b.severity) - SEVERITIES.indexOf(a.severity) ||
    FINDING_STATUSES.indexOf(a.status) - FINDING_STATUSES.indexOf(b.status)
  );
}

/** By code unit: the same order on every machine, whatever its locale. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
