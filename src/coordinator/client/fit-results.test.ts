import { describe, expect, test } from 'vitest';
import { resultsRequestSchema, type NodeResults } from '../../api/coordinator/results-call.ts';
import { SEVERITIES, type Finding } from '../../api/scan-report.ts';
import { fitResults, type ReportedResult } from './fit-results.ts';

const FRAME = {
  startedAt: 1,
  endedAt: 2,
  mode: 'automatic',
  state: 'completed',
  message: null,
  runtime: null,
  scanner: null,
  summary: null,
  filesystem: null,
} as const;

/** Of all severities in turn, the least severe ones first. */
function vulnerable(imageId: string, findings: number): ReportedResult['decisions'][number] {
  const found = Array.from({ length: findings }, (_, at): Finding => ({
    id: `CVE-2026-${at}`,
    packageName: 'openssl',
    packageClass: 'os',
    installedVersion: '1',
    fixedVersion: null,
    severity: SEVERITIES.toReversed()[at % SEVERITIES.length] ?? 'UNKNOWN',
    status: 'affected',
  }));
  const ruling = { outcome: 'remove', reason: { code: 'vulnerable', findings: found } } as const;
  return { imageId, repoTags: [], repoDigests: [], sizeBytes: 1, estimatedBytes: 1, ruling, removal: null };
}

const result = (...decisions: ReportedResult['decisions']): ReportedResult => ({ ...FRAME, decisions });
const read = (body: Buffer): NodeResults => resultsRequestSchema.parse(JSON.parse(body.toString()));

function findingsOf({ decisions }: NodeResults): readonly (readonly Finding[])[] {
  return decisions.map(({ ruling }) => (ruling.reason.code === 'vulnerable' ? ruling.reason.findings : []));
}

describe('fitResults', () => {
  test('leaves results that fit as they are', () => {
    const whole = result(vulnerable('a', 3), vulnerable('b', 0));
    expect(read(fitResults(whole, 1_000_000))).toEqual({ ...whole, omittedFindings: 0 });
  });

  test('keeps every decision and the most severe findings, and counts the rest', () => {
    const whole = result(vulnerable('a', 1_000), vulnerable('b', 2), vulnerable('c', 500));
    const body = fitResults(whole, 30_000);
    expect(body.length).toBeLessThanOrEqual(30_000);
    const sent = read(body);
    expect(sent.decisions.map(({ imageId }) => imageId)).toEqual(['a', 'b', 'c']);
    const [a = [], b = [], c = []] = findingsOf(sent);
    expect(b).toHaveLength(2);
    expect(a.length).toBe(c.length);
    expect(a.length).toBeGreaterThan(30);
    expect(sent.omittedFindings).toBe(1_500 - a.length - c.length);
    expect(new Set(a.map(({ severity }) => severity))).toEqual(new Set(['CRITICAL']));
  });

  test('says so when nothing helps', () => {
    expect(() => fitResults(result(vulnerable('a', 5)), 100)).toThrow('without any finding');
  });
});
