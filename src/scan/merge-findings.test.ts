import { create, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FINDING_STATUSES, SEVERITIES } from '../api/scan-report.ts';
import { ScanResponseSchema } from './gen/trivy_pb.js';
import { mergeFindings, type RawFinding } from './merge-findings.ts';
import { parseTrivyReport } from './parse-trivy-report.ts';
import { parseScanResponse } from './scan-response.ts';

const scanner = { name: 'trivy', version: '0.74.0', databaseUpdatedAt: null, databaseMark: null };
const imageId = `sha256:${'1'.repeat(64)}`;
const raw: RawFinding = {
  id: 'CVE-2026-1',
  packageName: 'a',
  packageClass: 'library',
  installedVersion: '1',
  fixedVersion: '2',
  severity: 'LOW',
  status: 'fixed',
  packageId: 'a@1',
  packagePath: 'app',
};
const finding = fc.record<RawFinding>({
  id: fc.constantFrom('CVE-2026-1', 'CVE-2026-2'),
  packageName: fc.constantFrom('a', 'b'),
  packageClass: fc.constantFrom('os', 'library'),
  installedVersion: fc.constantFrom('1', '2'),
  fixedVersion: fc.constantFrom(null, '1', '2'),
  severity: fc.constantFrom(...SEVERITIES),
  status: fc.constantFrom(...FINDING_STATUSES),
  packageId: fc.constantFrom('', 'x'),
  packagePath: fc.constantFrom('', 'p', 'q'),
});

describe('mergeFindings', () => {
  it('takes a library at several paths for one finding', () => {
    expect(mergeFindings([[raw, { ...raw, packagePath: 'other' }]])).toHaveLength(1);
    expect(mergeFindings([[raw], [{ ...raw, packageClass: 'os' }]])).toHaveLength(2);
  });

  it('takes what Trivy takes where two say something different of one package: the first with the greatest fixed version', () => {
    const older = { ...raw, fixedVersion: '1', severity: 'HIGH' } as const;
    expect(mergeFindings([[older, raw]])).toEqual(mergeFindings([[raw]]));
    expect(mergeFindings([[raw, older]])).toEqual(mergeFindings([[raw]]));
    expect(mergeFindings([[raw, { ...raw, severity: 'CRITICAL' }]])).toEqual(mergeFindings([[raw]]));
  });

  it('does not depend on the order of paths, packages or results', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(finding, { selector: (one) => `${one.packageId}/${one.packagePath}/${one.id}`, maxLength: 8 }),
        (findings) => {
          const backwards = [...findings].reverse();
          expect(mergeFindings(backwards.map((one) => [one]))).toEqual(mergeFindings([findings]));
        },
      ),
    );
  });
});

describe('parseScanResponse', () => {
  it("makes of a server's verdict what Trivy's own report comes to", () => {
    fc.assert(
      fc.property(fc.array(fc.array(finding, { maxLength: 6 }), { maxLength: 3 }), fc.boolean(), (results, endOfLife) => {
        const byClass = results.map((list) => list.map((one) => ({ ...one, packageClass: list[0]?.packageClass ?? one.packageClass })));
        const className = (list: readonly RawFinding[]): string => (list[0]?.packageClass === 'os' ? 'os-pkgs' : 'lang-pkgs');
        const response = create(ScanResponseSchema, {
          os: { family: 'alpine', name: '3.22.0', eosl: endOfLife },
          results: byClass.map((list) => ({
            class: className(list),
            vulnerabilities: list.map((one) => ({
              vulnerabilityId: one.id,
              pkgName: one.packageName,
              installedVersion: one.installedVersion,
              fixedVersion: one.fixedVersion ?? '',
              severity: ['UNKNOWN', 'LOW', 'MEDIUM', 'HIGH', 'CRITICAL'].indexOf(one.severity),
              status: FINDING_STATUSES.indexOf(one.status),
              pkgId: one.packageId,
              pkgPath: one.packagePath,
            })),
          })),
        });
        const report = {
          SchemaVersion: 2,
          Metadata: { ImageID: imageId, OS: { Family: 'alpine', Name: '3.22.0', EOSL: endOfLife } },
          Results: byClass.map((list) => ({
            Class: className(list),
            Vulnerabilities: list.map((one) => ({
              VulnerabilityID: one.id,
              PkgID: one.packageId,
              PkgName: one.packageName,
              PkgPath: one.packagePath,
              InstalledVersion: one.installedVersion,
              FixedVersion: one.fixedVersion ?? '',
              Severity: one.severity,
              Status: one.status,
            })),
          })),
        };
        expect(parseScanResponse(toBinary(ScanResponseSchema, response), imageId, scanner)).toEqual(
          parseTrivyReport(Buffer.from(JSON.stringify(report)), scanner).report,
        );
      }),
    );
  });

  it('leaves out other classes, and takes no operating system for none', () => {
    const response = create(ScanResponseSchema, { os: {}, results: [{ class: 'secret', vulnerabilities: [{ vulnerabilityId: 'x' }] }] });
    expect(parseScanResponse(toBinary(ScanResponseSchema, response), imageId, scanner)).toEqual({
      imageId,
      scanner,
      os: null,
      findings: [],
    });
  });

  it.each([
    Buffer.from('<html>'),
    toBinary(ScanResponseSchema, create(ScanResponseSchema, { results: [{ class: 'os-pkgs', vulnerabilities: [{}] }] })),
  ])('refuses garbage: %#', (body) => {
    expect(() => parseScanResponse(body, imageId, scanner)).toThrow(expect.objectContaining({ code: 'bad-output' }) as Error);
  });
});
