import { expect, test } from 'vitest';
import { image, report } from '../../../test/fakes/images.ts';
import { reportsRequestSchema } from '../../api/coordinator/reports-call.ts';
import type { ScanReport } from '../../api/scan-report.ts';
import { fitReports } from './fit-reports.ts';

const reports = Array.from({ length: 50 }, (_, at) => report(image(at)));
const large: ScanReport = { ...report(image(99)), os: { family: 'alpine', name: 'ä'.repeat(2_000), endOfLife: false } };

function sentIn(bodies: readonly Buffer[]): ScanReport[] {
  return bodies.flatMap((body) => reportsRequestSchema.parse(JSON.parse(body.toString())).reports);
}

test('sends all reports in as many documents as it takes, none of them too large', () => {
  const bodies = fitReports(reports, 3_000);
  expect(bodies.length).toBeGreaterThan(2);
  for (const body of bodies) expect(body.length).toBeLessThanOrEqual(3_000);
  expect(sentIn(bodies)).toEqual(reports);
});

test('leaves out one that no document holds, and only that', () => {
  const bodies = fitReports([...reports.slice(0, 2), large, ...reports.slice(2)], 3_000);
  for (const body of bodies) expect(body.length).toBeLessThanOrEqual(3_000);
  expect(sentIn(bodies)).toEqual(reports);
});

test('sends nothing of nothing', () => {
  expect(fitReports([], 3_000)).toEqual([]);
  expect(fitReports([large], 3_000)).toEqual([]);
});
