import * as z from 'zod';
import { FINDING_STATUSES, SEVERITIES, type PackageClass, type ScanReport, type ScannerInfo } from '../api/scan-report.ts';
import { mergeFindings, PACKAGE_CLASS, type RawFinding } from './merge-findings.ts';
import { parseTrivyJson } from './parse-trivy-json.ts';

// Only what is read. Trivy leaves out what is empty, and writes null for an empty list of results.
const vulnerabilitySchema = z.object({
  VulnerabilityID: z.string().min(1),
  PkgID: z.string().default(''),
  PkgName: z.string(),
  PkgPath: z.string().default(''),
  InstalledVersion: z.string().default(''),
  FixedVersion: z.string().default(''),
  // A severity or status that a later Trivy adds is unknown here, and no reason to refuse the report.
  Severity: z.enum(SEVERITIES).catch('UNKNOWN'),
  Status: z.enum(FINDING_STATUSES).catch('unknown'),
});
const reportSchema = z.object({
  SchemaVersion: z.literal(2),
  Trivy: z.object({ Version: z.string().min(1) }).optional(),
  Metadata: z.object({
    ImageID: z.string().regex(/^sha256:[0-9a-f]{64}$/),
    OS: z.object({ Family: z.string(), Name: z.string().default(''), EOSL: z.boolean().default(false) }).nullish(),
  }),
  Results: z.array(z.object({ Class: z.string().default(''), Vulnerabilities: z.array(vulnerabilitySchema).nullish() })).nullish(),
});

/** What `trivy image --format json` prints: all that is read of it, and the version that printed it, where it tells. */
export interface TrivyReport {
  readonly report: ScanReport;
  readonly version: string | null;
}

/** Throws a `ScannerFault` with `bad-output` when the text is no report: a scanner that prints garbage is broken. */
export function parseTrivyReport(json: Buffer, scanner: ScannerInfo): TrivyReport {
  const { Trivy, Metadata, Results } = parseTrivyJson(json, reportSchema, { what: 'report' });
  const results = (Results ?? []).flatMap(({ Class, Vulnerabilities }) => {
    const packageClass = PACKAGE_CLASS[Class];
    return packageClass === undefined ? [] : [(Vulnerabilities ?? []).map((vulnerability) => rawFinding(vulnerability, packageClass))];
  });
  const { OS } = Metadata;
  const report = {
    imageId: Metadata.ImageID,
    scanner,
    os: OS === null || OS === undefined ? null : { family: OS.Family, name: OS.Name, endOfLife: OS.EOSL },
    findings: mergeFindings(results),
  };
  return { report, version: Trivy?.Version ?? null };
}

function rawFinding(vulnerability: z.infer<typeof vulnerabilitySchema>, packageClass: PackageClass): RawFinding {
  return {
    id: vulnerability.VulnerabilityID,
    packageName: vulnerability.PkgName,
    packageClass,
    installedVersion: vulnerability.InstalledVersion,
    fixedVersion: vulnerability.FixedVersion === '' ? null : vulnerability.FixedVersion,
    severity: vulnerability.Severity,
    status: vulnerability.Status,
    packageId: vulnerability.PkgID,
    packagePath: vulnerability.PkgPath,
  };
}
