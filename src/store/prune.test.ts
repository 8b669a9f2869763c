import { randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import type { Retention } from './history.ts';
import { finding, image, imageId, report } from '../../test/fakes/images.ts';
import { DAY, HOUR, openTestHistory, type TestHistory } from '../../test/fakes/history-in-test.ts';
import { ending, ENDPOINT, HOLDER, plan, removal, runStart } from '../../test/fakes/runs.ts';

const scanner = { name: 'trivy', version: '0.74.0', databaseUpdatedAt: '2026-10-31T06:00:00Z', databaseMark: 'files 1' };
const KEEP_ALL: Retention = { maxAgeMs: 365 * DAY, maxBytes: 2 ** 40 };

/** A run on so many images, each with findings of its own. */
async function runOn({ history }: TestHistory, numbers: readonly number[], findings = 2): Promise<void> {
  const run = await history.beginRun(runStart());
  const ids = (of: number): string[] => Array.from({ length: findings }, () => `CVE-${of}-${randomBytes(20).toString('hex')}`);
  const decisions = numbers.map((number) =>
    removal(image(number), { reason: { code: 'vulnerable', findings: ids(number).map((id) => finding({ id })) } }),
  );
  await run.planned(plan(...decisions));
  await run.end(ending());
}

async function keepAnalysis({ history }: TestHistory, number: number, bytes = 10): Promise<void> {
  const parts = [{ key: `layer-${number}`, data: randomBytes(bytes) }];
  const analysis = { imageId: imageId(number), scannerName: 'trivy', scannerVersion: '0.74.0', parts, recipe: randomBytes(4) };
  await history.scanRecords.keep(report(image(number), { scanner }), analysis);
}

async function locked(): Promise<TestHistory> {
  const it = await openTestHistory();
  await it.history.lockRuns(HOLDER);
  return it;
}

async function runIds({ history }: TestHistory): Promise<number[]> {
  return (await history.listRuns({ limit: 1_000 })).map(({ id }) => id).reverse();
}

async function analysed({ history }: TestHistory, ...numbers: number[]): Promise<number[]> {
  const known = await history.scanRecords.readAnalyses(numbers.map(imageId), scanner);
  return numbers.filter((number) => known.has(imageId(number)));
}

function rows(path: string): Record<string, unknown> {
  const database = new DatabaseSync(path, { readOnly: true });
  const tables = [
    'run',
    'decision',
    'reason',
    'naming',
    'image',
    'image_name',
    'sighting',
    'analysis',
    'part',
    'scan_report',
    'scanner_version',
  ];
  const counts = tables.map((table) => [table, database.prepare(`SELECT count(*) AS rows FROM ${table}`).get()?.['rows']]);
  const broken = database.prepare('PRAGMA foreign_key_check').all();
  database.close();
  expect(broken).toEqual([]);
  return Object.fromEntries(counts) as Record<string, unknown>;
}

const see = ({ history }: TestHistory, ...numbers: number[]): Promise<void> =>
  history.memoryOf(ENDPOINT).recordSightings({ images: numbers.map((number) => image(number)), inUse: new Set() });

describe('retention', () => {
  test('nothing goes that is neither old nor too much', async () => {
    const it = await locked();
    await runOn(it, [1, 2]);
    await keepAnalysis(it, 1);
    await see(it, 1);
    const before = rows(it.path);
    expect(await it.history.prune(KEEP_ALL)).toMatchObject({ runs: 0, analyses: 0 });
    expect(rows(it.path)).toEqual(before);
  });

  test('runs go by age, with all that only they mention; numbers go on', async () => {
    const it = await locked();
    await runOn(it, [1, 2]);
    it.clock.pass(20 * DAY);
    await runOn(it, [2, 3]);
    it.clock.pass(20 * DAY);
    expect(await it.history.prune({ ...KEEP_ALL, maxAgeMs: 30 * DAY })).toMatchObject({ runs: 1 });
    expect(await runIds(it)).toEqual([2]);
    expect(rows(it.path)).toMatchObject({ run: 1, decision: 2, reason: 2, naming: 2, image: 2, image_name: 2 });
    it.clock.pass(90 * DAY);
    await it.history.prune({ ...KEEP_ALL, maxAgeMs: 30 * DAY });
    expect(await runIds(it)).toEqual([2]);
    await runOn(it, [4]);
    expect(await runIds(it)).toEqual([2, 3]);
  });

  test('age goes by time that went by, not by a clock that was set', async () => {
    const it = await locked();
    await runOn(it, [1]);
    it.clock.step(1_000 * DAY);
    await runOn(it, [1]);
    expect(await it.history.prune({ ...KEEP_ALL, maxAgeMs: 30 * DAY })).toMatchObject({ runs: 0 });
  });

  test('a run that goes on stays, however old', async () => {
    const it = await locked();
    await it.history.beginRun(runStart());
    it.clock.pass(100 * DAY);
    await runOn(it, [1]);
    await it.history.prune({ maxAgeMs: DAY, maxBytes: 0 });
    expect(await runIds(it)).toEqual([1, 2]);
  });

  test('by size the oldest go, until the file is small enough, and it really is', async () => {
    const it = await locked();
    for (let run = 0; run < 20; run += 1) await runOn(it, [1, 2, 3, 4, 5], 300);
    await it.history.prune(KEEP_ALL);
    const before = statSync(it.path).size;
    const maxBytes = Math.round(before / 2);
    const { runs, bytes } = await it.history.prune({ ...KEEP_ALL, maxBytes });
    const left = await runIds(it);
    expect(left).toEqual(Array.from({ length: 20 - runs }, (_, at) => runs + 1 + at));
    expect(runs).toBeGreaterThan(7);
    expect(runs).toBeLessThan(15);
    expect(bytes).toBeLessThanOrEqual(maxBytes);
    expect(statSync(it.path).size).toBe(bytes);
  });

  test('analyses of images that are long gone go; of those on the node none, and no age of theirs', async () => {
    const it = await locked();
    for (const number of [1, 2, 3]) await keepAnalysis(it, number);
    await see(it, 1, 2);
    it.clock.pass(40 * DAY);
    await see(it, 1);
    it.clock.pass(HOUR);
    const { analyses } = await it.history.prune({ ...KEEP_ALL, maxAgeMs: 30 * DAY });
    expect(analyses).toBe(2);
    expect(await analysed(it, 1, 2, 3)).toEqual([1]);
    expect(rows(it.path)).toMatchObject({ image: 0, sighting: 1, analysis: 1, part: 1 });
    const known = await it.history.memoryOf(ENDPOINT).readImageHistories([imageId(1)]);
    expect(it.clock.now() - (known.get(imageId(1))?.firstSeenAt ?? 0)).toBe(40 * DAY + HOUR);
  });

  test.each<[string, number, number[], number[]]>([
    ['analyses of images that are gone go first', 500_000, [1], [1, 2, 3]],
    ['then those of images on the node, since they can be made again', 250_000, [], [1, 2, 3]],
    ['and runs only when all that is not enough; ages stay', 0, [], [3]],
  ])('by size, %s', async (_, maxBytes, analyses, runs) => {
    const it = await locked();
    for (const number of [1, 2, 3]) await runOn(it, [number]);
    for (const number of [1, 2, 3]) await keepAnalysis(it, number, 200_000);
    await see(it, 1, 2, 3);
    it.clock.pass(HOUR);
    await see(it, 1);
    const { bytes } = await it.history.prune({ ...KEEP_ALL, maxBytes });
    expect(await analysed(it, 1, 2, 3)).toEqual(analyses);
    expect(await runIds(it)).toEqual(runs);
    if (maxBytes > 0) expect(bytes).toBeLessThan(maxBytes);
    expect((await it.history.memoryOf(ENDPOINT).readImageHistories([imageId(1)])).size).toBe(1);
  });

  test('an image keeps its first sighting although the node was not looked at for long', async () => {
    const it = await locked();
    await see(it, 1);
    it.clock.pass(80 * DAY);
    await it.history.prune({ maxAgeMs: DAY, maxBytes: 0 });
    expect((await it.history.memoryOf(ENDPOINT).readImageHistories([imageId(1)])).size).toBe(1);
  });

  test('what another runtime had at its last look is on a node, too', async () => {
    const it = await locked();
    await keepAnalysis(it, 1, 200_000);
    await keepAnalysis(it, 2, 200_000);
    await it.history.memoryOf('other').recordSightings({ images: [image(1)], inUse: new Set() });
    it.clock.pass(HOUR);
    await see(it, 3);
    expect(await it.history.prune({ ...KEEP_ALL, maxBytes: 450_000 })).toMatchObject({ analyses: 1 });
    expect(await analysed(it, 1, 2)).toEqual([1]);
  });

  test('versions of binaries that were not asked for long go', async () => {
    const it = await locked();
    await it.history.scanRecords.rememberScannerVersion('a', '1');
    it.clock.pass(40 * DAY);
    await it.history.scanRecords.rememberScannerVersion('b', '1');
    await it.history.prune({ ...KEEP_ALL, maxAgeMs: 30 * DAY });
    expect(await it.history.scanRecords.readScannerVersion('a')).toBeNull();
    expect(await it.history.scanRecords.readScannerVersion('b')).toBe('1');
  });
});

test('pruning goes on beside a run', async () => {
  const it = await locked();
  for (let run = 0; run < 4; run += 1) await runOn(it, [1, 2, 3], 100);
  const [pruned] = await Promise.all([
    it.history.prune({ ...KEEP_ALL, maxBytes: 0 }),
    runOn(it, [4, 5], 100),
    see(it, 1, 2),
    keepAnalysis(it, 1),
  ]);
  expect(pruned.runs).toBeGreaterThanOrEqual(3);
  expect((await it.history.readDecisions(5)).map(({ imageId: id }) => id)).toEqual([4, 5].map(imageId));
});
