import * as z from 'zod';
import { FINDING_STATUSES, PACKAGE_CLASSES, SEVERITIES, type Finding, type ScanReport } from '../api/scan-report.ts';

/**
 * A report as it is stored, without its scanner, which the row names. Its findings are columns, each one text of lines or of digits: all reports
 * of a node are read at the beginning of a run, and thousands of small objects would take most of its time.
 */
const storedReportSchema = z.object({
  imageId: z.string(),
  os: z.object({ family: z.string(), name: z.string(), endOfLife: z.boolean() }).nullable(),
  count: z.number(),
  ids: z.string(),
  /** Each once: the findings of a package are many. */
  packageNames: z.string(),
  packageVersions: z.string(),
  packageClasses: z.string(),
  /** Which of the packages each finding is of. */
  packages: z.string(),
  /** `=1.2.3`; an empty line: none is known. */
  fixedVersions: z.string(),
  severities: z.string(),
  statuses: z.string(),
});

/** null: a text in it has a line break, so that it cannot be stored. */
export function formatStoredReport({ imageId, os, findings }: ScanReport): string | null {
  const places = new Map<string, number>();
  const packages: Finding[] = [];
  const placeOf = (finding: Finding): number => {
    const key = JSON.stringify([finding.packageName, finding.packageClass, finding.installedVersion]);
    const known = places.get(key) ?? packages.push(finding) - 1;
    places.set(key, known);
    return known;
  };
  const placed = findings.map(placeOf);
  const stored: z.infer<typeof storedReportSchema> = {
    imageId,
    os,
    count: findings.length,
    ids: findings.map(({ id }) => id).join('\n'),
    packageNames: packages.map(({ packageName }) => packageName).join('\n'),
    packageVersions: packages.map(({ installedVersion }) => installedVersion).join('\n'),
    packageClasses: packages.map(({ packageClass }) => PACKAGE_CLASSES.indexOf(packageClass)).join(''),
    packages: placed.join('\n'),
    fixedVersions: findings.map(({ fixedVersion }) => (fixedVersion === null ? '' : `=${fixedVersion}`)).join('\n'),
    severities: findings.map(({ severity }) => SEVERITIES.indexOf(severity)).join(''),
    statuses: findings.map(({ status }) => FINDING_STATUSES.indexOf(status)).join(''),
  };
  const texts = findings.flatMap(({ id, packageName, installedVersion, fixedVersion }) => [
    id,
    packageName,
    installedVersion,
    fixedVersion,
  ]);
  return texts.some((text) => text?.includes('\n') === true) ? null : JSON.stringify(stored);
}

/** null: it is not what was stored. */
export function parseStoredReport(value: unknown): Omit<ScanReport, 'scanner'> | null {
  const parsed = storedReportSchema.safeParse(value);
  if (!parsed.success) return null;
  const { imageId, os, count, severities, statuses, packageClasses } = parsed.data;
  if (count === 0) return { imageId, os, findings: [] };
  const lines = (column: 'ids' | 'packages' | 'packageNames' | 'packageVersions' | 'fixedVersions'): string[] =>
    parsed.data[column].split('\n');
  const [ids, places, fixedVersions] = [lines('ids'), lines('packages'), lines('fixedVersions')];
  const [names, versions] = [lines('packageNames'), lines('packageVersions')];
  if ([ids, places, fixedVersions, severities, statuses].some(({ length }) => length !== count)) return null;
  const findings: Finding[] = [];
  for (let at = 0; at < count; at += 1) {
    const place = Number(places[at]);
    const id = ids[at];
    const fixed = fixedVersions[at];
    const packageName = names[place];
    const installedVersion = versions[place];
    const packageClass = PACKAGE_CLASSES[Number(packageClasses[place])];
    const severity = SEVERITIES[Number(severities[at])];
    const status = FINDING_STATUSES[Number(statuses[at])];
    if (id === undefined || fixed === undefined || packageName === undefined || installedVersion === undefined) return null;
    if (packageClass === undefined || severity === undefined || status === undefined) return null;
    const fixedVersion = fixed === '' ? null : fixed.slice(1);
    findings.push({ id, packageName, packageClass, installedVersion, fixedVersion, severity, status });
  }
  return { imageId, os, findings };
}
