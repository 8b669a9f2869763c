import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FINDING_STATUSES, PACKAGE_CLASSES, SEVERITIES, type ScanReport } from '../api/scan-report.ts';
import { finding, image, report } from '../../test/fakes/images.ts';
import { formatStoredReport, parseStoredReport } from './report-codec.ts';

const text = fc.oneof(fc.constantFrom('', 'a', '=', '=1', '1.2.3-r0', '"', 'ü'), fc.string());

const anyReport: fc.Arbitrary<Omit<ScanReport, 'scanner'>> = fc.record({
  imageId: text,
  os: fc.option(fc.record({ family: text, name: text, endOfLife: fc.boolean() }), { nil: null }),
  findings: fc.array(
    fc.record({
      id: text,
      packageName: text,
      packageClass: fc.constantFrom(...PACKAGE_CLASSES),
      installedVersion: text,
      fixedVersion: fc.option(text, { nil: null }),
      severity: fc.constantFrom(...SEVERITIES),
      status: fc.constantFrom(...FINDING_STATUSES),
    }),
  ),
});

const { scanner } = report(image(1));

test('any report comes back as it was, unless a text in it has a line break', () => {
  fc.assert(
    fc.property(anyReport, (given) => {
      const stored = formatStoredReport({ ...given, scanner });
      const texts = given.findings.flatMap(({ id, packageName, installedVersion, fixedVersion }) => [
        id,
        packageName,
        installedVersion,
        fixedVersion,
      ]);
      const hasLineBreak = texts.some((one) => one?.includes('\n') === true);
      expect(stored === null).toBe(hasLineBreak);
      if (stored !== null) expect(parseStoredReport(JSON.parse(stored))).toEqual(given);
    }),
  );
});

test('a line break is not taken for two findings', () => {
  expect(formatStoredReport(report(image(1), { findings: [finding({ id: 'CVE-1\nCVE-2' })] }))).toBeNull();
});

const stored = JSON.parse(
  formatStoredReport(report(image(1), { findings: [finding(), finding({ id: 'CVE-2026-0002' })] })) ?? '',
) as object;

test.each<[string, object]>([
  ['nothing', {}],
  ['a finding less', { ...stored, ids: 'CVE-2026-0001' }],
  ['a finding more', { ...stored, ids: 'a\nb\nc' }],
  ['a severity less', { ...stored, severities: '1' }],
  ['an unknown severity', { ...stored, severities: '19' }],
  ['an unknown status', { ...stored, statuses: '3x' }],
  ['an unknown package', { ...stored, packages: '0\n7' }],
  ['an unknown class of package', { ...stored, packageClasses: '5' }],
  ['a count that is too high', { ...stored, count: 3 }],
  ['no operating system', { ...stored, os: undefined }],
])('what has %s is no report', (_, value) => {
  expect(parseStoredReport(value)).toBeNull();
});
