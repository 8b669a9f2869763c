import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseTrivyReport } from './parse-trivy-report.ts';
import { ScannerFault } from './scanner-fault.ts';

const scanner = { name: 'trivy', version: '0.74.0', databaseUpdatedAt: null, databaseMark: null };
const imageId = 'sha256:008b580612761666e7af696a1cbd2b3aab85589def60567b44668bf4f56b8df0';
const parse = (value: unknown) => parseTrivyReport(Buffer.from(JSON.stringify(value)), scanner).report;

/** What Trivy 0.74.0 printed, shortened. */
const recorded = {
  SchemaVersion: 2,
  Trivy: { Version: '0.74.0' },
  ArtifactName: 'docker.io/library/a:1',
  ArtifactType: 'container_image',
  Metadata: { Size: 20480, OS: { Family: 'alpine', Name: '3.19.0', EOSL: true }, ImageID: imageId, RepoTags: ['docker.io/library/a:1'] },
  Results: [
    {
      Target: 'docker.io/library/a:1 (alpine 3.19.0)',
      Class: 'os-pkgs',
      Type: 'alpine',
      Vulnerabilities: [
        {
          VulnerabilityID: 'CVE-2025-1000',
          PkgID: 'busybox@1.37.0-r1',
          PkgName: 'busybox',
          InstalledVersion: '1.37.0-r1',
          FixedVersion: '1.37.0-r99',
          Status: 'fixed',
          SeveritySource: 'nvd',
          Severity: 'CRITICAL',
        },
      ],
    },
    {
      Target: 'Node.js',
      Class: 'lang-pkgs',
      Type: 'node-pkg',
      Vulnerabilities: [
        {
          VulnerabilityID: 'GHSA-xxxx-yyyy-zzzz',
          PkgName: 'lodash',
          PkgPath: 'app/node_modules/lodash/package.json',
          InstalledVersion: '4.17.20',
          Status: 'affected',
          Severity: 'MEDIUM',
        },
      ],
    },
  ],
};

describe('parseTrivyReport', () => {
  it('reads image, operating system and findings', () => {
    expect(parse(recorded)).toEqual({
      imageId,
      scanner,
      os: { family: 'alpine', name: '3.19.0', endOfLife: true },
      findings: [
        {
          id: 'CVE-2025-1000',
          packageName: 'busybox',
          packageClass: 'os',
          installedVersion: '1.37.0-r1',
          fixedVersion: '1.37.0-r99',
          severity: 'CRITICAL',
          status: 'fixed',
        },
        {
          id: 'GHSA-xxxx-yyyy-zzzz',
          packageName: 'lodash',
          packageClass: 'library',
          installedVersion: '4.17.20',
          fixedVersion: null,
          severity: 'MEDIUM',
          status: 'affected',
        },
      ],
    });
  });

  it.each([
    { Metadata: { ImageID: imageId } },
    { Metadata: { ImageID: imageId }, Results: null },
    { Metadata: { ImageID: imageId }, Results: [{}] },
  ])('takes a report without packages: %#', (report) => {
    expect(parse({ SchemaVersion: 2, ...report })).toEqual({ imageId, scanner, os: null, findings: [] });
  });

  it('takes severities and statuses that it does not know for unknown', () => {
    const vulnerability = { VulnerabilityID: 'CVE-2026-1', PkgName: 'a', Severity: 'APOCALYPTIC', Status: 'pondered' };
    const report = parse({
      ...recorded,
      Results: [{ Class: 'os-pkgs', Vulnerabilities: [vulnerability, { VulnerabilityID: 'CVE-2026-2', PkgName: 'a' }] }],
    });
    expect(report.findings).toMatchObject([
      { id: 'CVE-2026-1', severity: 'UNKNOWN', status: 'unknown' },
      { id: 'CVE-2026-2', severity: 'UNKNOWN', status: 'unknown' },
    ]);
  });

  it('takes one library at two paths for one finding, and leaves other classes out', () => {
    const [os, library] = recorded.Results;
    const twice = [...(library?.Vulnerabilities ?? []), ...(library?.Vulnerabilities ?? [])];
    const report = parse({
      ...recorded,
      Results: [
        { ...os, Class: 'secret' },
        { ...library, Vulnerabilities: twice },
      ],
    });
    expect(report.findings).toMatchObject([{ packageName: 'lodash' }]);
  });

  it.each([
    ['nothing', ''],
    ['no JSON', 'Segmentation fault'],
    ['half a report', JSON.stringify(recorded).slice(0, 400)],
    ['another schema', JSON.stringify({ ...recorded, SchemaVersion: 3 })],
    ['no image', JSON.stringify({ ...recorded, Metadata: {} })],
    ['an image id of another form', JSON.stringify({ ...recorded, Metadata: { ImageID: 'latest' } })],
    ['findings of another form', JSON.stringify({ ...recorded, Results: [{ Class: 'os-pkgs', Vulnerabilities: [{ id: 1 }] }] })],
  ])('refuses %s', (_, text) => {
    expect(() => parseTrivyReport(Buffer.from(text), scanner)).toThrow(expect.objectContaining({ code: 'bad-output' }) as Error);
  });

  it('throws nothing but a fault, whatever it is given', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        try {
          parseTrivyReport(Buffer.from(text), scanner);
        } catch (error) {
          expect(error).toBeInstanceOf(ScannerFault);
        }
      }),
    );
  });
});
