import * as z from 'zod';
import { FINDING_STATUSES, SEVERITIES, type Finding, type PackageClass, type ScanReport, type ScannerInfo } from '../api/scan-report.ts';
import { scannerFault } from './scanner-fault.ts';

// Only what is read. Trivy leaves out what is empty, and writes null for an empty list of results.
const vulnerabilitySchema = z.object({
  VulnerabilityID: z.string().min(1),
  PkgName: z.string(),
  InstalledVersion: z.string().default(''),
  FixedVersion: z.string().default(''),
  // A severity or status that a later Trivy adds is unknown here, and no reason to refuse the report.
  Severity: z.enum(SEVERITIES).catch('UNKNOWN'),
  Status: z.enum(FINDING_STATUSES).catch('unknown'),
});
const reportSchema = z.object({
  SchemaVersion: z.literal(2),
  Metadata: z.object({
    ImageID: z.string().regex(/^sha256:[0-9a-f]{64}$/),
    OS: z.object({ Family: z.string(), Name: z.string().default(''), EOSL: z.boolean().default(false) }).nullish(),
  }),
  Results: z.array(z.object({ Class: z.string().default(''), Vulnerabilities: z.array(vulnerabilitySchema).nullish() })).nullish(),
});

/** Trivy's `Class` of a result; other classes (secrets, licences, misconfiguration) hold no vulnerable packages. */
const PACKAGE_CLASS: Readonly<Record<string, PackageClass>> = { 'os-pkgs': 'os', 'lang-pkgs': 'library' };

/** Parses `trivy image --format json`. Throws a `ScannerFault` with `bad-output` when it is none: a scanner that prints garbage is broken. */
export function parseTrivyReport(json: Buffer, scanner: ScannerInfo): ScanReport {
  const { Metadata, Results } = parseTrivyJson(json, reportSchema, 'report');
  const findings = new Map<string, Finding>();
  for (const result of Results ?? []) {
    const packageClass = PACKAGE_CLASS[result.Class];
    if (packageClass === undefined) continue;
    for (const vulnerability of result.Vulnerabilities ?? []) {
      const finding = findingOf(vulnerability, packageClass);
      // A library that lies at several paths is one finding: its path is no part of it.
      findings.set(JSON.stringify([packageClass, finding.id, finding.packageName, finding.installedVersion]), finding);
    }
  }
  const { OS } = Metadata;
  return {
    imageId: Metadata.ImageID,
    scanner,
    os: OS === null || OS === undefined ? null : { family: OS.Family, name: OS.Name, endOfLife: OS.EOSL },
    findings: [...findings.values()],
  };
}

function findingOf(vulnerability: z.infer<typeof vulnerabilitySchema>, packageClass: PackageClass): Finding {
  return {
    id: vulnerability.VulnerabilityID,
    packageName: vulnerability.PkgName,
    packageClass,
    installedVersion: vulnerability.InstalledVersion,
    fixedVersion: vulnerability.FixedVersion === '' ? null : vulnerability.FixedVersion,
    severity: vulnerability.Severity,
    status: vulnerability.Status,
  };
}

/** The longest beginning of unusable output that a message quotes, in characters. */
const QUOTED_CHARACTERS = 80;

/** Parses output of Trivy that has to be JSON of the given form; throws a `ScannerFault` with `bad-output`. `what`: for the message. */
export function parseTrivyJson<Schema extends z.ZodType>(json: Buffer, schema: Schema, what: string): z.infer<Schema> {
  let value: unknown;
  try {
    value = JSON.parse(json.toString());
  } catch (cause) {
    const begins = JSON.stringify(json.subarray(0, QUOTED_CHARACTERS).toString());
    throw scannerFault(
      'bad-output',
      json.length === 0 ? `Trivy printed no ${what}.` : `Trivy's ${what} is not JSON; it begins with ${begins}.`,
      cause,
    );
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success)
    throw scannerFault('bad-output', `Trivy's ${what} is not of the expected form: ${z.prettifyError(parsed.error)}`, parsed.error);
  return parsed.data;
}
