import { describe, expect, test } from 'vitest';
import { finding, image, report } from '../../test/fakes/images.ts';
import { DEFAULT_SCAN_POLICY, type ScanPolicy } from '../api/scan-policy.ts';
import type { Finding } from '../api/scan-report.ts';
import { evaluateReport, expiredIgnores } from './verdict.ts';

const NOW = Date.UTC(2026, 10, 1);

function counted(findings: readonly Finding[], policy: Partial<ScanPolicy> = {}): string[] {
  return evaluateReport(report(image(1), { findings }), { ...DEFAULT_SCAN_POLICY, ...policy }, NOW).findings.map(({ id }) => id);
}

describe('evaluateReport', () => {
  const critical = finding({ id: 'CVE-1', severity: 'CRITICAL' });
  const low = finding({ id: 'CVE-2', severity: 'LOW' });
  const unknown = finding({ id: 'CVE-3', severity: 'UNKNOWN' });
  const unfixed = finding({ id: 'CVE-4', severity: 'HIGH', fixedVersion: null, status: 'will_not_fix' });
  const library = finding({ id: 'CVE-5', severity: 'MEDIUM', packageClass: 'library' });
  const all = [low, unknown, unfixed, critical, library];

  test('counts the four named severities by default, most severe first', () => {
    expect(counted(all)).toEqual(['CVE-1', 'CVE-4', 'CVE-5', 'CVE-2']);
  });

  test.each<[name: string, policy: Partial<ScanPolicy>, ids: string[]]>([
    ['severities', { severities: ['UNKNOWN', 'LOW'] }, ['CVE-2', 'CVE-3']],
    ['no severity', { severities: [] }, []],
    ['package classes', { packageClasses: ['library'] }, ['CVE-5']],
    ['only fixed ones', { ignoreUnfixed: true }, ['CVE-1', 'CVE-5', 'CVE-2']],
    ['statuses', { ignoredStatuses: ['will_not_fix'] }, ['CVE-1', 'CVE-5', 'CVE-2']],
  ])('counts by %s', (_name, policy, ids) => {
    expect(counted(all, policy)).toEqual(ids);
  });

  test('an ignored vulnerability counts again once its expiry has passed', () => {
    const ignored = (expiresAt: string | null): ScanPolicy['ignoredVulnerabilities'] => [
      { id: 'CVE-1', statement: 'not reachable', expiresAt },
    ];
    expect(counted([critical], { ignoredVulnerabilities: ignored(null) })).toEqual([]);
    expect(counted([critical], { ignoredVulnerabilities: ignored('2026-11-01') })).toEqual([]);
    expect(counted([critical], { ignoredVulnerabilities: ignored('2026-10-31') })).toEqual(['CVE-1']);
    const policy = { ...DEFAULT_SCAN_POLICY, ignoredVulnerabilities: ignored('2026-10-31') };
    expect(expiredIgnores(policy, NOW)).toEqual(['CVE-1']);
  });

  test('says how many it leaves out', () => {
    const { ignoredFindings } = evaluateReport(
      report(image(1), { findings: all }),
      { ...DEFAULT_SCAN_POLICY, severities: ['CRITICAL'] },
      NOW,
    );
    expect(ignoredFindings).toBe(4);
  });

  test('names the system that is past its end of life', () => {
    const old = report(image(1), { os: { family: 'alpine', name: '3.19', endOfLife: true } });
    expect(evaluateReport(old, DEFAULT_SCAN_POLICY, NOW).endOfLifeOs).toBe('alpine 3.19');
    expect(evaluateReport(report(image(1)), DEFAULT_SCAN_POLICY, NOW).endOfLifeOs).toBeNull();
    expect(evaluateReport(report(image(1), { os: null }), DEFAULT_SCAN_POLICY, NOW).endOfLifeOs).toBeNull();
  });
});
