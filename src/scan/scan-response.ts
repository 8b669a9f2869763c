import { FINDING_STATUSES, type ScanReport, type ScannerInfo, type Severity } from '../api/scan-report.ts';
import { ScanResponseSchema } from './gen/trivy_pb.js';
import { mergeFindings, PACKAGE_CLASS, type RawFinding } from './merge-findings.ts';
import { scannerFault } from './scanner-fault.ts';
import { parseMessage } from './trivy-rpc.ts';

/** Trivy's numbers for severities. */
const SEVERITY_OF: readonly Severity[] = ['UNKNOWN', 'LOW', 'MEDIUM', 'HIGH', 'CRITICAL'];

/** Parses a server's verdict into what `trivy image --server` makes of it. Throws a `ScannerFault` with `bad-output`. */
export function parseScanResponse(body: Uint8Array, imageId: string, scanner: ScannerInfo): ScanReport {
  const response = parseMessage(ScanResponseSchema, body);
  if (response === null) throw scannerFault('bad-output', "The verdict of Trivy's server cannot be read.");
  const results = response.results.flatMap(({ class: name, vulnerabilities }) => {
    const packageClass = PACKAGE_CLASS[name];
    if (packageClass === undefined) return [];
    return [
      vulnerabilities.map((vulnerability): RawFinding => {
        if (vulnerability.vulnerabilityId === '') throw scannerFault('bad-output', "The verdict of Trivy's server names no vulnerability.");
        return {
          id: vulnerability.vulnerabilityId,
          packageName: vulnerability.pkgName,
          packageClass,
          installedVersion: vulnerability.installedVersion,
          fixedVersion: vulnerability.fixedVersion === '' ? null : vulnerability.fixedVersion,
          severity: SEVERITY_OF[vulnerability.severity] ?? 'UNKNOWN',
          // The numbers are the positions in Trivy's list, which is ours.
          status: FINDING_STATUSES[vulnerability.status] ?? 'unknown',
          packageId: vulnerability.pkgId,
          packagePath: vulnerability.pkgPath,
        };
      }),
    ];
  });
  const { os } = response;
  return {
    imageId,
    scanner,
    os: os === undefined || os.family === '' ? null : { family: os.family, name: os.name, endOfLife: os.eosl },
    findings: mergeFindings(results),
  };
}
