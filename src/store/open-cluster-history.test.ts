import { chmodSync, chownSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openTestClusterHistory } from '../../test/fakes/cluster-history-in-test.ts';
import { FakeTiming } from '../../test/fakes/fake-timing.ts';
import { DAY, HOUR, openTestHistory, temporaryFolder } from '../../test/fakes/history-in-test.ts';
import { finding, image, imageId, report } from '../../test/fakes/images.ts';
import { ending, HOLDER, plan, removal, runStart } from '../../test/fakes/runs.ts';
import { lookAt, NEVER, nodeResults, removedOn, workerPod } from '../../test/fakes/node-results.ts';
import { analysisOf } from '../../test/fakes/fake-reader.ts';
import type { ImageAnalysis, ScannerInfo, ScanReport } from '../api/scan-report.ts';
import { MIGRATIONS } from './migrations.ts';
import { openSqliteFile } from './open-sqlite-file.ts';
import type { ClusterHistory, NodeScan } from './cluster-history.ts';

const POD = workerPod('node-1');
const RESULTS = nodeResults([removedOn(image(1))]);

const record = ({ results }: ClusterHistory, job: string): Promise<void> =>
  results.record(workerPod('node-1', job), RESULTS, 'digest', NEVER);

describe('ages', () => {
  test('are of one node each', async () => {
    const { history, clock } = await openTestClusterHistory();
    await history.images.observe(POD, lookAt([image(1), image(2)], [image(2)]), NEVER);
    clock.pass(10 * DAY);
    const other = await history.images.observe(workerPod('node-2'), lookAt([image(1)]), NEVER);
    expect(other).toEqual(new Map([[imageId(1), { firstSeenAt: clock.now(), lastInUseAt: null }]]));
    const again = await history.images.observe(POD, lookAt([image(1), image(2)]), NEVER);
    const then = clock.now() - 10 * DAY;
    expect(again).toEqual(
      new Map([
        [imageId(1), { firstSeenAt: then, lastInUseAt: null }],
        [imageId(2), { firstSeenAt: then, lastInUseAt: then }],
      ]),
    );
  });

  test('begin anew with an image that was gone, or that a run removed', async () => {
    const { history, clock, path } = await openTestClusterHistory();
    const look = (...numbers: number[]): ReturnType<ClusterHistory['images']['observe']> =>
      history.images.observe(POD, lookAt(numbers.map((number) => image(number))), NEVER);
    await look(1, 2, 3);
    clock.pass(DAY);
    await look(2, 3);
    const failed = { state: 'failed', at: 0, message: 'in use', keptBy: null, reclaimedBytes: 0 } as const;
    const results = nodeResults([removedOn(image(2)), removedOn(image(3), { removal: failed })]);
    await history.results.record(POD, results, 'a', NEVER);
    clock.pass(DAY);
    const ages = [...(await look(1, 2, 3))].map(([id, { firstSeenAt }]) => [id, clock.now() - firstSeenAt]);
    expect(ages).toEqual([
      [imageId(1), 0],
      [imageId(2), 0],
      [imageId(3), 2 * DAY],
    ]);
    // What a node once had is not kept: one that told of ever new images would fill the disk.
    clock.pass(1);
    await look(3);
    expect(rowsIn(path, 'sighting')).toBe(1);
  });

  test('do not jump when the manager moves to a machine that has been up for long, or whose clock was set', async () => {
    const { history, clock } = await openTestClusterHistory();
    await history.images.observe(POD, lookAt([image(1)]), NEVER);
    clock.reboot(HOUR);
    clock.uptimeMs = 300 * DAY;
    const moved = await history.images.observe(POD, lookAt([image(1)]), NEVER);
    expect(clock.now() - (moved.get(imageId(1))?.firstSeenAt ?? 0)).toBe(HOUR);
    clock.step(200 * DAY);
    const stepped = await history.images.observe(POD, lookAt([image(1)]), NEVER);
    expect(clock.now() - (stepped.get(imageId(1))?.firstSeenAt ?? 0)).toBe(HOUR);
  });
});

describe('reports', () => {
  const scanner = { name: 'trivy', version: '0.74.0', databaseUpdatedAt: '2026-10-31T06:00:00Z', databaseMark: 'server:cluster 1' };
  const found = { ...report(image(1)), scanner, findings: [finding()] };
  const told = (reportedBy: string, ...reports: ScanReport[]): NodeScan[] =>
    reports.map((each) => ({ reportedBy, report: each, analysis: null, asOf: 0 }));

  test('of one node count for all, by just this scanner and database, for a day', async () => {
    const { history, clock } = await openTestClusterHistory();
    await history.scans.keep(told('node-1', found, { ...report(image(3)), scanner }), NEVER);
    const ask = async (by: ScannerInfo): Promise<string[]> => [
      ...(await history.scans.readReports({ imageIds: [imageId(1)], scanner: by }, NEVER)).keys(),
    ];
    const bare = imageId(1).slice('sha256:'.length);
    expect(await history.scans.readReports({ imageIds: [bare, imageId(2)], scanner }, NEVER)).toEqual(new Map([[bare, found]]));
    expect(await ask({ ...scanner, databaseMark: 'server:cluster 2' })).toEqual([]);
    expect(await ask({ ...scanner, databaseUpdatedAt: '2026-11-01T06:00:00Z' })).toEqual([]);
    expect(await ask({ ...scanner, version: '0.75.0' })).toEqual([]);
    expect(await ask({ ...scanner, databaseMark: null })).toEqual([]);
    expect(await ask(scanner)).toEqual([imageId(1)]);
    clock.pass(2 * DAY);
    expect(await ask(scanner)).toEqual([]);
  });

  test('are written over by later ones; of each it is on record which node told it', async () => {
    const { history, path } = await openTestClusterHistory();
    await history.scans.keep(told('node-1', found), NEVER);
    await Promise.all([
      history.scans.keep(told('node-2', { ...found, findings: [] }), NEVER),
      history.scans.keep(told('node-3', { ...report(image(2)), scanner }), NEVER),
    ]);
    const [known] = (await history.scans.readReports({ imageIds: [imageId(1)], scanner }, NEVER)).values();
    expect(known?.findings).toEqual([]);
    const database = new DatabaseSync(path, { readOnly: true });
    const rows = database.prepare('SELECT reported_by FROM scan_report ORDER BY id_key').all();
    database.close();
    expect(rows.map(({ reported_by: node }) => node)).toEqual(['node-2', 'node-3']);
  });

  test('by a database that cannot be told from others are not kept', async () => {
    const { history } = await openTestClusterHistory();
    const vague = { ...scanner, databaseMark: null };
    await history.scans.keep(told('node-1', { ...found, scanner: vague }), NEVER);
    expect(await history.scans.readReports({ imageIds: [imageId(1)], scanner: vague }, NEVER)).toEqual(new Map());
  });
});

describe('analyses', () => {
  const scanner = { name: 'trivy', version: '0.74.0', databaseUpdatedAt: '2026-10-31T06:00:00Z', databaseMark: 'server:cluster 1' };
  const found = { ...report(image(1)), scanner };

  test('are kept with the node that read the image, for that version of the scanner, whatever the database', async () => {
    const { history } = await openTestClusterHistory();
    const analysis = analysisOf(imageId(1));
    await history.scans.keep([{ reportedBy: 'node-1', report: found, analysis, asOf: 0 }], NEVER);
    const ask = (version: string) =>
      history.scans.readAnalyses({ imageIds: [imageId(1), imageId(2)], scanner: { name: 'trivy', version } }, NEVER);
    const stored = { reportedBy: 'node-1', analysis: expect.objectContaining({ imageId: imageId(1) }) as ImageAnalysis };
    expect(await ask('0.74.0')).toEqual(new Map([[imageId(1), stored]]));
    const [{ analysis: kept } = { analysis: null }] = (await ask('0.74.0')).values();
    expect(kept?.parts.map(({ key, data }) => [key, Buffer.from(data)])).toEqual(analysis.parts.map(({ key, data }) => [key, data]));
    expect(Buffer.from(kept?.recipe ?? [])).toEqual(analysis.recipe);
    expect(await ask('0.75.0')).toEqual(new Map());
  });

  test('stay when a report by another database is kept; a later reading takes the place of an earlier one', async () => {
    const { history } = await openTestClusterHistory();
    const wanted = { imageIds: [imageId(1)], scanner };
    const readers = async (): Promise<unknown[]> =>
      [...(await history.scans.readAnalyses(wanted, NEVER)).values()].map(({ reportedBy, analysis }) => [
        reportedBy,
        analysis.parts.length,
      ]);
    await history.scans.keep([{ reportedBy: 'node-1', report: found, analysis: analysisOf(imageId(1)), asOf: 0 }], NEVER);
    const updated = { ...scanner, databaseMark: 'server:cluster 2' };
    await history.scans.keep([{ reportedBy: 'node-1', report: { ...found, scanner: updated }, analysis: null, asOf: 0 }], NEVER);
    expect(await readers()).toEqual([['node-1', 1]]);
    await history.scans.keep([{ reportedBy: 'node-2', report: found, analysis: { ...analysisOf(imageId(1)), parts: [] }, asOf: 0 }], NEVER);
    expect(await readers()).toEqual([['node-2', 0]]);
  });

  test('that are damaged are not there: the image is read again', async () => {
    const { history, path } = await openTestClusterHistory();
    await history.scans.keep([{ reportedBy: 'node-1', report: found, analysis: analysisOf(imageId(1), 1_000), asOf: 0 }], NEVER);
    change(path, "UPDATE part SET packed = x'00'");
    const rows = rowsIn(path, 'analysis');
    expect(await history.scans.readAnalyses({ imageIds: [imageId(1)], scanner }, NEVER)).toEqual(new Map());
    // Who reads does not write: that has its turn with what others write.
    expect([rows, rowsIn(path, 'analysis')]).toEqual([1, 1]);
    await history.scans.keep([{ reportedBy: 'node-2', report: found, analysis: analysisOf(imageId(1), 1_000), asOf: 0 }], NEVER);
    expect([...(await history.scans.readAnalyses({ imageIds: [imageId(1)], scanner }, NEVER)).keys()]).toEqual([imageId(1)]);
  });
});

describe('opening', () => {
  test.each<[string, string, (path: string) => void]>([
    ['cut off', 'corrupt', (path) => truncateSync(path, 16 * 4096)],
    ['of a newer version', 'newer', (path) => change(path, 'PRAGMA user_version = 99')],
    ['of another program', 'foreign', (path) => writeFileSync(path, 'hello '.repeat(1_000))],
  ])('a file that is %s is an error that says what to do', async (_, code, spoil) => {
    const it = await openTestClusterHistory();
    await it.history.close();
    spoil(it.path);
    await expect(openTestClusterHistory({ path: it.path })).rejects.toMatchObject({
      code,
      message: expect.stringContaining(it.path) as string,
      hint: expect.stringMatching(/./) as string,
    });
  });

  test('brings a file of version 3 up to date, with its runs and ages', async () => {
    const path = join(temporaryFolder(), 'history.db');
    openSqliteFile(path, MIGRATIONS.slice(0, 3)).close();
    change(
      path,
      `INSERT INTO run VALUES (1, 0, 0, 1, 'completed', 'automatic', '1', 1, 'host', 'ada', 'unix:///a', '[]', NULL, NULL, NULL, NULL, NULL)`,
    );
    const { history } = await openTestClusterHistory({ path });
    await record(history, 'job-1');
    const shown = await openTestHistory({ path, readOnly: true });
    const runs = await shown.history.listRuns({ limit: 9 });
    expect(runs.map(({ id, host, node }) => [id, host, node?.name])).toEqual([
      [2, 'node-1', 'node-1'],
      [1, 'host', undefined],
    ]);
  });

  test('takes the right of a volume’s group to write away', async () => {
    const it = await openTestClusterHistory();
    await it.history.close();
    chmodSync(it.path, 0o660);
    const { history, faults } = await openTestClusterHistory({ path: it.path });
    await record(history, 'job-1');
    expect([faults, statSync(it.path).mode & 0o777]).toEqual([[], 0o640]);
  });
});

describe('while the file cannot be used, calls reject; then they are carried out without a restart', () => {
  const places: readonly (readonly [string, string, (path: string) => () => void])[] = [
    [
      'the folder is not there',
      'unreadable',
      (path) => {
        writeFileSync(dirname(path), '');
        return () => rmSync(dirname(path));
      },
    ],
    [
      'it is a folder',
      'unreadable',
      (path) => {
        mkdirSync(path, { recursive: true });
        return () => rmSync(path, { recursive: true });
      },
    ],
    ...(process.getuid?.() === 0
      ? ([
          [
            'it is of another user',
            'unreadable',
            (path) => {
              mkdirSync(dirname(path));
              writeFileSync(path, '');
              chownSync(path, 65_534, 0);
              return () => chownSync(path, 0, 0);
            },
          ],
        ] as const satisfies readonly (readonly [string, string, (path: string) => () => void])[])
      : []),
  ];
  test.each(places)('at the beginning: %s', async (_, code, spoil) => {
    const path = join(temporaryFolder(), 'folder', 'history.db');
    const mend = spoil(path);
    const timing = new FakeTiming();
    const { history, faults } = await openTestClusterHistory({ path, timing });
    expect(faults).toEqual([code]);
    expect(history.fault).toMatchObject({ code });
    await expect(record(history, 'job-1')).rejects.toMatchObject({ code });
    await expect(history.results.recordedDigest(POD, NEVER)).rejects.toMatchObject({ code });
    mend();
    // A file that was away is not tried at each call.
    await expect(record(history, 'job-1')).rejects.toMatchObject({ code });
    timing.jump(1_000);
    await record(history, 'job-1');
    expect(await history.results.recordedDigest(POD, NEVER)).toBe('digest');
    expect([faults, history.fault]).toEqual([[code, null], null]);
  });

  test('it was removed: what came last is asked for again, and goes to a new file', async () => {
    const { history, path } = await openTestClusterHistory();
    await record(history, 'job-1');
    rmSync(path);
    await record(history, 'job-2');
    expect(await history.results.recordedDigest(POD, NEVER)).toBeNull();
    expect(rowsIn(path, 'node_run')).toBe(1);
  });

  test('it was damaged, and is moved away', async () => {
    const { history, path, faults } = await openTestClusterHistory();
    await history.results.record(POD, nodeResults(Array.from({ length: 2_000 }, (_, number) => removedOn(image(number)))), 'a', NEVER);
    change(path, "UPDATE run SET message = 'changed'; PRAGMA wal_checkpoint(truncate)");
    damage(path);
    await expect(record(history, 'job-2')).rejects.toMatchObject({
      code: 'corrupt',
      hint: expect.stringContaining('Move the file away') as string,
    });
    for (const suffix of ['', '-wal', '-shm']) {
      if (statSync(`${path}${suffix}`, { throwIfNoEntry: false }) !== undefined) renameSync(`${path}${suffix}`, `${path}.old${suffix}`);
    }
    await expect
      .poll(
        () =>
          record(history, 'job-2').then(
            () => 'done',
            () => 'not yet',
          ),
        { timeout: 10_000 },
      )
      .toBe('done');
    expect(faults).toEqual(['corrupt', null]);
  });

  test('another process writes: it is waited for some seconds, in which this one goes on', async () => {
    const timing = new FakeTiming();
    const { history, path, faults } = await openTestClusterHistory({ timing });
    const other = new DatabaseSync(path);
    onTestFinished(() => other.close());
    other.exec('BEGIN IMMEDIATE');
    const first = record(history, 'job-1');
    const failed = expect(first).rejects.toMatchObject({ code: 'busy' });
    await timing.advance(60_000);
    await failed;
    const second = record(history, 'job-1');
    await timing.advance(60);
    other.exec('COMMIT');
    await timing.advance(10_000);
    await second;
    expect(faults).toEqual([]);
    expect(await history.results.recordedDigest(POD, NEVER)).toBe('digest');
  });
});

describe('two processes', () => {
  test('may write at once: each record is there once, with a number of its own', async () => {
    const one = await openTestClusterHistory();
    const two = await openTestClusterHistory({ path: one.path });
    const nodes = Array.from({ length: 60 }, (_, number) => `node-${number}`);
    await Promise.all(
      nodes.flatMap((node) =>
        [one, two].map(({ history }) => history.results.record(workerPod(node), RESULTS, `digest of ${node}`, NEVER)),
      ),
    );
    expect([rowsIn(one.path, 'node_run'), rowsIn(one.path, 'run'), rowsIn(one.path, 'decision')]).toEqual([60, 60, 60]);
    expect(await two.history.readTotals('job-1')).toMatchObject({ nodes: 60, sums: { removed: 60 } });
  });

  test('a run of the command line with the lock of runs holds no node up, and is not mistaken for one of a node', async () => {
    const { history, path, clock } = await openTestClusterHistory();
    const machine = await openTestHistory({ path, clock });
    await machine.history.lockRuns(HOLDER);
    const run = await machine.history.beginRun(runStart());
    await run.planned(plan(removal(image(1))));
    await record(history, 'job-1');
    await run.end(ending());
    expect((await machine.history.listRuns({ limit: 9 })).map(({ id, node }) => [id, node?.name])).toEqual([
      [2, 'node-1'],
      [1, undefined],
    ]);
    expect(await machine.history.unfinishedRuns()).toEqual([]);
  });
});

test('a call that is given up before its turn leaves nothing', async () => {
  const { history, path } = await openTestClusterHistory();
  const given = new AbortController();
  const calls = [
    history.results.record(POD, RESULTS, 'a', given.signal),
    history.images.observe(POD, lookAt([image(1)]), given.signal),
    history.logs.append(POD, { container: 'remover', sequence: 0, lines: ['one'] }, given.signal),
  ];
  given.abort(new Error('gone'));
  for (const call of calls) await expect(call).rejects.toThrow('gone');
  for (const table of ['node_run', 'run', 'sighting', 'log', 'job']) expect([table, rowsIn(path, table)]).toEqual([table, 0]);
});

test('closing writes what was taken on, and nothing after', async () => {
  const { history, path } = await openTestClusterHistory();
  const taken = record(history, 'job-1');
  await history.close();
  await taken;
  expect(rowsIn(path, 'node_run')).toBe(1);
  await expect(record(history, 'job-2')).rejects.toThrow('is closed');
});

function change(path: string, statement: string): void {
  const database = new DatabaseSync(path);
  database.exec(statement);
  database.close();
}

function rowsIn(path: string, table: string): unknown {
  const database = new DatabaseSync(path, { readOnly: true });
  const rows = database.prepare(`SELECT count(*) AS rows FROM ${table}`).get()?.['rows'];
  database.close();
  return rows;
}

/** From a page on. */
function damage(path: string, from = 64): void {
  const bytes = readFileSync(path);
  bytes.fill(0xa5, from * 4096);
  writeFileSync(path, bytes);
}
