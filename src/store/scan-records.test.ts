import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import type { ImageAnalysis, ScannerInfo, ScanReport } from '../api/scan-report.ts';
import { finding, image, imageId, report } from '../../test/fakes/images.ts';
import { DAY, HOUR, openTestHistory, type TestHistory } from '../../test/fakes/history-in-test.ts';

const scanner: ScannerInfo = { name: 'trivy', version: '0.74.0', databaseUpdatedAt: '2026-10-31T06:00:00Z', databaseMark: 'files 1' };
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const reportOn = (number: number, fields: Partial<ScanReport> = {}): ScanReport =>
  report(image(number), { scanner, findings: [finding(), finding({ id: 'CVE-2026-0002', fixedVersion: null })], ...fields });
const analysisOf = (number: number, parts: readonly string[], fields: Partial<ImageAnalysis> = {}): ImageAnalysis => ({
  imageId: imageId(number),
  scannerName: 'trivy',
  scannerVersion: '0.74.0',
  parts: parts.map((key) => ({ key, data: bytes(`content of ${key}`) })),
  recipe: bytes(`recipe ${number}`),
  ...fields,
});

function plain(analysis: ImageAnalysis | undefined): unknown {
  if (analysis === undefined) return undefined;
  const text = (data: Uint8Array): string => new TextDecoder().decode(data);
  return { ...analysis, recipe: text(analysis.recipe), parts: analysis.parts.map(({ key, data }) => [key, text(data)]) };
}

async function change({ history, path }: TestHistory, statement: string): Promise<void> {
  await history.readRun(1);
  const other = new DatabaseSync(path);
  other.exec(statement);
  other.close();
}

function count(path: string, table: string): unknown {
  const other = new DatabaseSync(path, { readOnly: true });
  const row = other.prepare(`SELECT count(*) AS rows FROM ${table}`).get();
  other.close();
  return row?.['rows'];
}

describe('reports', () => {
  test('come back whole, for just this scanner and database', async () => {
    const { history } = await openTestHistory();
    await history.scanRecords.keep(reportOn(1), null);
    expect(await history.scanRecords.readReports([imageId(1), imageId(2)], scanner)).toEqual(new Map([[imageId(1), reportOn(1)]]));
  });

  test.each<[string, Partial<ScannerInfo>]>([
    ['another database', { databaseUpdatedAt: '2026-11-01T06:00:00Z' }],
    ['an earlier database', { databaseUpdatedAt: '2026-10-30T06:00:00Z' }],
    ['a database of unknown date', { databaseUpdatedAt: null }],
    ['another database of the same date', { databaseMark: 'server https://scan.example' }],
    ['a database of which nothing else is known', { databaseMark: null }],
    ['another version of the scanner', { version: '0.75.0' }],
    ['another scanner', { name: 'grype' }],
  ])('a report does not serve %s', async (_, other) => {
    const { history } = await openTestHistory();
    await history.scanRecords.keep(reportOn(1), null);
    expect(await history.scanRecords.readReports([imageId(1)], { ...scanner, ...other })).toEqual(new Map());
  });

  test.each([{ databaseUpdatedAt: null }, { databaseMark: null }])(
    'a report by a database of %j serves none of the same either',
    async (fields) => {
      const { history } = await openTestHistory();
      const unknown = { ...scanner, ...fields };
      await history.scanRecords.keep(reportOn(1, { scanner: unknown }), null);
      expect(await history.scanRecords.readReports([imageId(1)], unknown)).toEqual(new Map());
    },
  );

  test('a long one comes back whole too', async () => {
    const { history } = await openTestHistory();
    const findings = Array.from({ length: 2_000 }, (_, number) =>
      finding({ id: `CVE-2026-${number}`, packageName: `package-${number % 90}` }),
    );
    await history.scanRecords.keep(reportOn(1, { findings }), null);
    expect((await history.scanRecords.readReports([imageId(1)], scanner)).get(imageId(1))?.findings).toEqual(findings);
  });

  test('the last report of a scanner on an image stands', async () => {
    const { history } = await openTestHistory();
    await history.scanRecords.keep(reportOn(1), null);
    await history.scanRecords.keep(reportOn(1, { findings: [] }), null);
    expect((await history.scanRecords.readReports([imageId(1)], scanner)).get(imageId(1))?.findings).toEqual([]);
  });

  test.each<[string, (it: TestHistory) => void, boolean]>([
    ['23 hours', ({ clock }) => clock.pass(23 * HOUR), true],
    ['25 hours', ({ clock }) => clock.pass(25 * HOUR), false],
    [
      '25 hours with the clock set back by them',
      ({ clock }) => {
        clock.pass(25 * HOUR);
        clock.step(-25 * HOUR);
      },
      false,
    ],
    ['a moment in which the clock was set on by a year', ({ clock }) => clock.step(365 * DAY), false],
    ['a moment in which the clock was set back by a year', ({ clock }) => clock.step(-365 * DAY), false],
  ])('after %s', async (_, happen, holds) => {
    const it = await openTestHistory();
    await it.history.scanRecords.keep(reportOn(1), analysisOf(1, ['a']));
    happen(it);
    expect((await it.history.scanRecords.readReports([imageId(1)], scanner)).has(imageId(1))).toBe(holds);
    expect(count(it.path, 'scan_report')).toBe(holds ? 1 : 0);
    expect((await it.history.scanRecords.readAnalyses([imageId(1)], scanner)).has(imageId(1))).toBe(true);
  });

  test.each([
    ['damaged', 'UPDATE scan_report SET json = substr(json, 1, 100)'],
    ['damaged where it is packed', "UPDATE scan_report SET json = NULL, packed = x'0011'"],
    ['of another shape', "UPDATE scan_report SET json = '{}'"],
    ['of another image', `UPDATE scan_report SET id_key = '${imageId(2).slice(7)}'`],
  ])('a report that is %s counts as absent, and goes', async (_, statement) => {
    const it = await openTestHistory();
    await it.history.scanRecords.keep(reportOn(1), analysisOf(1, ['a']));
    await change(it, statement);
    expect(await it.history.scanRecords.readReports([imageId(1), imageId(2)], scanner)).toEqual(new Map());
    expect(count(it.path, 'scan_report')).toBe(0);
  });
});

describe('analyses', () => {
  test('come back whole, their parts in order', async () => {
    const { history } = await openTestHistory();
    await history.scanRecords.keep(reportOn(1), analysisOf(1, ['c', 'a', 'b', 'a']));
    await history.scanRecords.keep(reportOn(2), analysisOf(2, []));
    const known = await history.scanRecords.readAnalyses([imageId(1), imageId(2), imageId(3)], scanner);
    expect([...known.keys()]).toEqual([imageId(1), imageId(2)]);
    expect(plain(known.get(imageId(1)))).toEqual(plain(analysisOf(1, ['c', 'a', 'b', 'a'])));
    expect(plain(known.get(imageId(2)))).toEqual(plain(analysisOf(2, [])));
  });

  test('serve any database, but only the version that made them', async () => {
    const { history } = await openTestHistory();
    await history.scanRecords.keep(reportOn(1), analysisOf(1, ['a']));
    const { scanRecords } = history;
    expect((await scanRecords.readAnalyses([imageId(1)], { ...scanner, databaseUpdatedAt: null })).size).toBe(1);
    expect((await scanRecords.readAnalyses([imageId(1)], { ...scanner, version: '0.75.0' })).size).toBe(0);
    expect((await scanRecords.readAnalyses([imageId(1)], { ...scanner, name: 'grype' })).size).toBe(0);
    expect(await scanRecords.readPart('a', { ...scanner, version: '0.75.0' })).toBeNull();
  });

  test('images share the parts of their layers, each kept once', async () => {
    const { history, path } = await openTestHistory();
    await history.scanRecords.keep(reportOn(1), analysisOf(1, ['base', 'one']));
    await history.scanRecords.keep(reportOn(2), analysisOf(2, ['base', 'two']));
    expect(count(path, 'part')).toBe(3);
    expect(await history.scanRecords.readPart('base', scanner)).toEqual(Buffer.from('content of base'));
    expect(await history.scanRecords.readPart('none', scanner)).toBeNull();
  });

  test('a newer analysis takes the place of the older, with the parts that only that one had', async () => {
    const { history, path } = await openTestHistory();
    await history.scanRecords.keep(reportOn(1), analysisOf(1, ['base', 'old']));
    await history.scanRecords.keep(reportOn(2), analysisOf(2, ['base']));
    await history.scanRecords.keep(reportOn(1), analysisOf(1, ['base', 'new']));
    expect(await history.scanRecords.readPart('old', scanner)).toBeNull();
    expect(count(path, 'part')).toBe(2);
    const known = await history.scanRecords.readAnalyses([imageId(1), imageId(2)], scanner);
    expect(plain(known.get(imageId(1)))).toEqual(plain(analysisOf(1, ['base', 'new'])));
    expect(known.size).toBe(2);
  });

  test('one with a damaged part counts as absent, and goes; the next one mends it', async () => {
    const it = await openTestHistory();
    const { scanRecords } = it.history;
    await scanRecords.keep(reportOn(1), analysisOf(1, ['base', 'one']));
    await scanRecords.keep(reportOn(2), analysisOf(2, ['base', 'two']));
    await change(it, "UPDATE part SET packed = x'00' WHERE content_key = 'base'");
    expect(await scanRecords.readPart('base', scanner)).toBeNull();
    expect((await scanRecords.readAnalyses([imageId(1)], scanner)).size).toBe(0);
    expect(count(it.path, 'analysis')).toBe(1);
    await scanRecords.keep(reportOn(1), analysisOf(1, ['base', 'one']));
    expect((await scanRecords.readAnalyses([imageId(1), imageId(2)], scanner)).size).toBe(2);
  });
});

test('the version of a binary is remembered by what it is', async () => {
  const { history } = await openTestHistory();
  const { scanRecords } = history;
  expect(await scanRecords.readScannerVersion('/usr/bin/trivy 1')).toBeNull();
  await scanRecords.rememberScannerVersion('/usr/bin/trivy 1', '0.74.0');
  await scanRecords.rememberScannerVersion('/usr/bin/trivy 2', '0.75.0');
  await scanRecords.rememberScannerVersion('/usr/bin/trivy 2', '0.75.1');
  expect(await scanRecords.readScannerVersion('/usr/bin/trivy 1')).toBe('0.74.0');
  expect(await scanRecords.readScannerVersion('/usr/bin/trivy 2')).toBe('0.75.1');
});
