import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, onTestFinished, test } from 'vitest';
import { image, imageId } from '../../test/fakes/images.ts';
import { DAY, MachineClock, openTestHistory, temporaryFolder } from '../../test/fakes/history-in-test.ts';
import { ending, ENDPOINT, HOLDER, plan, removal, runStart } from '../../test/fakes/runs.ts';
import { MIGRATIONS } from './migrations.ts';
import { openSqliteFile } from './open-sqlite-file.ts';

const VERSION_1 = readFileSync(new URL('../../test/fakes/history-version-1.sql', import.meta.url), 'utf8');

const VERSION_2 = readFileSync(new URL('../../test/fakes/history-version-2.sql', import.meta.url), 'utf8');

function makeFile(path: string, statements: string): void {
  const database = new DatabaseSync(path);
  database.exec(statements);
  database.close();
}

/** A history with a run on so many images, closed again. */
async function historyWithRun(images = 1): Promise<string> {
  const { history, path } = await openTestHistory();
  await history.lockRuns(HOLDER);
  const run = await history.beginRun(runStart());
  await run.planned(plan(...Array.from({ length: images }, (_, number) => removal(image(number)))));
  await run.end(ending());
  await history.close();
  return path;
}

describe('opening a history', () => {
  test('makes folder and file for its owner alone', async () => {
    const path = join(temporaryFolder(), 'lib', 'image-cleaner', 'history.db');
    const { history } = await openTestHistory({ path });
    await history.lockRuns(HOLDER);
    await history.memoryOf(ENDPOINT).recordSightings({ images: [], inUse: new Set() });
    expect(statSync(dirname(path)).mode & 0o777).toBe(0o700);
    for (const name of readdirSync(dirname(path))) expect([name, statSync(join(dirname(path), name)).mode & 0o777]).toEqual([name, 0o600]);
    expect(readdirSync(dirname(path)).sort()).toEqual(['history.db', 'history.db-shm', 'history.db-wal', 'history.db.lock']);
  });

  test('finds what was written before', async () => {
    const path = await historyWithRun();
    const { history } = await openTestHistory({ path });
    expect(await history.readRun(1)).toMatchObject({ state: 'completed', user: 'ada' });
  });

  test.each<[string, string, (path: string) => void, RegExp]>([
    ['a folder in its place', 'unreadable', (path) => mkdirSync(path), /is a folder/],
    [
      'a file where a folder should be',
      'unreadable',
      (path) => writeFileSync(dirname(path), ''),
      /cannot be used: ENOTDIR|cannot be used: EEXIST/,
    ],
    ['a device in its place', 'unreadable', (path) => symlinkSync('/dev/null', path), /is no regular file/],
    ['a pipe in its place', 'unreadable', (path) => execFileSync('mkfifo', [path]), /is no regular file/],
    ['no SQLite file', 'foreign', (path) => writeFileSync(path, 'hello '.repeat(1_000)), /is not an SQLite file/],
    ["another program's SQLite file", 'foreign', (path) => makeFile(path, 'CREATE TABLE t (a)'), /file of another program/],
    ["another program's empty SQLite file", 'foreign', (path) => makeFile(path, 'PRAGMA user_version = 1'), /file of another program/],
    ['a newer version', 'newer', (path) => makeFile(path, `${VERSION_1}; PRAGMA user_version = 99`), /made by a newer image-cleaner/],
  ])('%s', async (_, code, make, message) => {
    const path = join(temporaryFolder(), 'folder', 'history.db');
    if (_ !== 'a file where a folder should be') mkdirSync(dirname(path));
    make(path);
    const before = statSync(dirname(path)).isDirectory() && statSync(path).isFile() ? readFileSync(path) : null;
    for (const readOnly of [false, true]) {
      const opening = openTestHistory({ path, readOnly });
      await expect(opening).rejects.toMatchObject({
        name: 'HistoryError',
        code,
        message: expect.stringMatching(message) as string,
        hint: expect.stringMatching(/./) as string,
      });
      await expect(opening).rejects.toThrow(path);
    }
    // Nothing was touched.
    if (before !== null) expect(readFileSync(path).equals(before)).toBe(true);
  });

  test.each([':memory:', 'file:history.db?mode=memory', 'file:///history.db'])('%s is the name of a file like any other', async (name) => {
    const folder = temporaryFolder();
    const before = process.cwd();
    process.chdir(folder);
    onTestFinished(() => process.chdir(before));
    const { history } = await openTestHistory({ path: name });
    process.chdir(before);
    await history.lockRuns(HOLDER);
    await (await history.beginRun(runStart())).end(ending());
    expect(statSync(join(folder, name)).isFile()).toBe(true);
  });

  test('below /proc nothing can be made, which is told', async () => {
    await expect(openTestHistory({ path: '/proc/none/a/b/history.db' })).rejects.toMatchObject({ code: 'unreadable' });
  });

  test.each<[string, RegExp, (path: string) => void]>([
    ['others may write', /other users may write to it \(its mode is 602\)/, (path) => chmodSync(path, 0o602)],
    ['its group may write', /other users may write to it \(its mode is 660\)/, (path) => chmodSync(path, 0o660)],
    ...((process.getuid?.() === 0
      ? [['is of another user', /belongs to the user with the id 65534/, (path: string) => chownSync(path, 65_534, 0)]]
      : []) satisfies [string, RegExp, (path: string) => void][]),
  ])('a history or a lock to which %s is not trusted, but can be shown', async (_, message, change) => {
    const path = await historyWithRun();
    change(`${path}.lock`);
    const it = await openTestHistory({ path });
    await expect(it.history.lockRuns(HOLDER)).rejects.toMatchObject({
      code: 'unreadable',
      message: expect.stringMatching(message) as string,
    });
    await it.history.close();
    change(path);
    await expect(openTestHistory({ path })).rejects.toMatchObject({
      code: 'unreadable',
      message: expect.stringMatching(message) as string,
      hint: expect.stringContaining('trust') as string,
    });
    const { history } = await openTestHistory({ path, readOnly: true });
    expect(await history.readRun(1)).toMatchObject({ state: 'completed' });
  });

  test.each<[string, (path: string) => void]>([
    ['removed', (path) => rmSync(path)],
    [
      'replaced',
      (path) => {
        renameSync(path, `${path}.old`);
        writeFileSync(path, '');
      },
    ],
  ])('a history that is %s while a run is under way is told at its end', async (_, change) => {
    const { history, path } = await openTestHistory();
    await history.lockRuns(HOLDER);
    const run = await history.beginRun(runStart());
    change(path);
    await expect(run.end(ending())).rejects.toMatchObject({
      code: 'unreadable',
      message: expect.stringContaining('was removed while the run was under way') as string,
    });
  });

  test('a file that was cut off is told at once', async () => {
    const path = await historyWithRun(500);
    truncateSync(path, 16 * 4096);
    await expect(openTestHistory({ path })).rejects.toMatchObject({ code: 'corrupt', message: expect.stringContaining(path) as string });
  });

  test('a damaged page is told where it is met', async () => {
    const path = await historyWithRun(2_000);
    const bytes = readFileSync(path);
    bytes.fill(0xa5, 64 * 4096);
    writeFileSync(path, bytes);
    const { history } = await openTestHistory({ path });
    await history.lockRuns(HOLDER);
    await expect(history.readDecisions(1)).rejects.toMatchObject({ code: 'corrupt', message: expect.stringContaining(path) as string });
    await expect(history.readImageDecisions({ idPrefix: '0', limit: 10 })).rejects.toMatchObject({ code: 'corrupt' });
    const run = history.beginRun(runStart()).then(async (writer) => writer.planned(plan(removal(image(7)))));
    await expect(run).rejects.toMatchObject({ code: 'corrupt' });
  });

  test('a row that does not hold what was written is told with its run', async () => {
    const path = await historyWithRun();
    makeFile(path, "UPDATE naming SET repo_tags = '7'");
    const { history } = await openTestHistory({ path });
    await expect(history.readDecisions(1)).rejects.toMatchObject({
      code: 'corrupt',
      message: expect.stringContaining(`the decision of run 1 on ${imageId(0)} cannot be read`) as string,
    });
  });

  test('a reason of a newer version hides no other decision, and stops no run', async () => {
    const it = await openTestHistory();
    await it.history.lockRuns(HOLDER);
    const run = await it.history.beginRun(runStart());
    await run.planned(plan(removal(image(0)), removal(image(1), { reason: { code: 'listed', entry: '*' } })));
    await it.history.close();
    makeFile(it.path, "UPDATE reason SET code = 'whim', json = '{}' WHERE code = 'unused'");
    const { history } = await openTestHistory(it);
    await history.lockRuns(HOLDER);
    expect((await history.unfinishedRuns()).map(({ open }) => open.map(({ imageId: id }) => id))).toEqual([[imageId(0), imageId(1)]]);
    expect(await history.settleKilledRun(1, new Set(), 0)).toMatchObject({ state: 'killed' });
    expect((await history.readDecisions(1)).map(({ ruling }) => ruling)).toEqual([
      { outcome: 'remove', reason: { code: 'unreadable', recordedCode: 'whim' } },
      { outcome: 'remove', reason: { code: 'listed', entry: '*' } },
    ]);
  });
});

describe('opening for reading', () => {
  test('a missing file is an empty history, and stays missing', async () => {
    const path = join(temporaryFolder(), 'none', 'history.db');
    const { history } = await openTestHistory({ path, readOnly: true });
    expect(await history.listRuns({ limit: 1 })).toEqual([]);
    expect(await history.memoryOf(ENDPOINT).readImageHistories([imageId(1)])).toEqual(new Map());
    expect(() => statSync(dirname(path))).toThrow('ENOENT');
  });

  test('reads beside a run and changes nothing', async () => {
    const path = await historyWithRun();
    const writer = await openTestHistory({ path });
    await writer.history.lockRuns(HOLDER);
    await writer.history.beginRun(runStart());
    const { history } = await openTestHistory({ path, readOnly: true });
    expect((await history.listRuns({ limit: 9 })).map(({ id }) => id)).toEqual([2, 1]);
    await expect(history.memoryOf(ENDPOINT).recordSightings({ images: [], inUse: new Set() })).rejects.toMatchObject({ code: 'read-only' });
    await expect(history.prune({ maxAgeMs: 0, maxBytes: 0 })).rejects.toMatchObject({ code: 'read-only' });
  });
});

describe('migrations', () => {
  test('a file of version 1 is read whole', async () => {
    const path = join(temporaryFolder(), 'history.db');
    makeFile(path, VERSION_1);
    const clock = new MachineClock();
    const { history } = await openTestHistory({ path, clock });
    await history.lockRuns(HOLDER);
    const scanner = { name: 'trivy', version: '0.74.0', databaseUpdatedAt: '2026-10-31T06:00:00Z', databaseMark: 'files 1' };
    expect(await history.readRun(1)).toMatchObject({ ...runStart(), state: 'completed', scanner: { ...scanner, databaseMark: null } });
    const [gone, kept] = await history.readDecisions(1);
    expect(gone).toMatchObject({ imageId: imageId(1), removal: { state: 'removed', reclaimedBytes: 90 } });
    expect(gone?.ruling.reason).toMatchObject({
      code: 'vulnerable',
      findings: Array.from({ length: 12 }, () => ({ packageName: 'openssl' })),
    });
    expect(kept?.ruling).toEqual({ outcome: 'keep', reason: { code: 'pinned', by: 'runtime' } });
    expect((await history.unfinishedRuns()).map(({ open }) => open.map(({ imageId: id }) => id))).toEqual([[imageId(2)]]);
    expect(await history.readImageDecisions({ names: ['docker.io/library/image-1:1'], limit: 9 })).toHaveLength(1);
    // By which database, of those with its date, is not on record.
    expect(await history.scanRecords.readReports([imageId(1)], scanner)).toEqual(new Map());
    const analyses = await history.scanRecords.readAnalyses([imageId(1)], scanner);
    expect(analyses.get(imageId(1))?.parts).toEqual([{ key: 'layer-1', data: Buffer.from('content of layer-1') }]);
    expect(await history.scanRecords.readScannerVersion('/usr/bin/trivy')).toBe('0.74.0');
    clock.step(3_600_000);
    clock.reboot(DAY);
    expect(await history.memoryOf('unix:///run/crio/crio.sock').readImageHistories([imageId(2)])).toEqual(new Map());
    // A run removed it after it was seen.
    expect(await history.memoryOf(ENDPOINT).readImageHistories([imageId(1)])).toEqual(new Map());
    expect((await history.memoryOf(ENDPOINT).readImageHistories([imageId(2)])).get(imageId(2))?.lastInUseAt).toBe(Date.UTC(2026, 10, 1));
  });

  test('a file of version 2 is read whole, and what its killed run had in hand is owed to the audit log', async () => {
    const path = join(temporaryFolder(), 'history.db');
    makeFile(path, VERSION_2);
    const clock = new MachineClock();
    clock.pass(3_600_000);
    const { history } = await openTestHistory({ path, clock });
    await history.lockRuns(HOLDER);
    const scanner = { name: 'trivy', version: '0.74.0', databaseUpdatedAt: '2026-10-31T06:00:00Z', databaseMark: 'files 1' };
    expect(await history.readRun(1)).toMatchObject({ ...runStart(), state: 'completed', scanner });
    expect(await history.readDecisions(1)).toMatchObject([
      { imageId: imageId(1), ruling: { reason: { code: 'vulnerable' } }, removal: { state: 'removed', reclaimedBytes: 90 } },
      { imageId: imageId(2), ruling: { reason: { code: 'pinned' } }, removal: null },
    ]);
    expect((await history.scanRecords.readReports([imageId(2)], scanner)).get(imageId(2))?.scanner).toEqual(scanner);
    expect((await history.scanRecords.readAnalyses([imageId(2)], scanner)).get(imageId(2))?.parts).toHaveLength(1);
    expect((await history.memoryOf(ENDPOINT).readImageHistories([imageId(2)])).get(imageId(2))?.lastInUseAt).toBe(Date.UTC(2026, 10, 1));
    expect(await history.unauditedRuns()).toEqual([]);
    expect((await history.unfinishedRuns()).map(({ run, open }) => [run.id, open.length])).toEqual([[2, 2]]);
    await history.settleKilledRun(2, new Set([imageId(3)]), 0);
    expect(await history.unauditedRuns()).toMatchObject([
      {
        run: { id: 2, user: 'ada' },
        removals: [
          { imageId: imageId(2), removal: { state: 'removed' } },
          { imageId: imageId(3), removal: { state: 'not-attempted' } },
        ],
      },
    ]);
    await history.markAudited(2);
    expect(await history.unauditedRuns()).toEqual([]);
  });

  test('ages of version 1 in which two runtimes are mixed are let go of', async () => {
    const path = join(temporaryFolder(), 'history.db');
    makeFile(path, `${VERSION_1}; UPDATE run SET runtime_endpoint = 'unix:///run/crio/crio.sock' WHERE id = 2`);
    const { history } = await openTestHistory({ path });
    for (const endpoint of [ENDPOINT, 'unix:///run/crio/crio.sock'])
      expect(await history.memoryOf(endpoint).readImageHistories([imageId(2)])).toEqual(new Map());
  });

  test('each is applied once and in order; what fails leaves the file as it was', () => {
    const path = join(temporaryFolder(), 'history.db');
    makeFile(path, VERSION_1);
    const second = 'CREATE TABLE added (a INTEGER); INSERT INTO added SELECT count(*) FROM run;';
    const broken = [...MIGRATIONS, second, 'CREATE TABLE more (a); INSERT INTO nowhere VALUES (1);'];
    expect(() => openSqliteFile(path, broken)).toThrow('no such table: nowhere');
    const versionOf = (database: DatabaseSync): unknown => database.prepare('PRAGMA user_version').get()?.['user_version'];
    const asItWas = new DatabaseSync(path);
    expect(versionOf(asItWas)).toBe(1);
    asItWas.close();
    for (let opening = 0; opening < 2; opening += 1) {
      const database = openSqliteFile(path, [...MIGRATIONS, second]);
      expect(versionOf(database)).toBe(MIGRATIONS.length + 1);
      expect(
        database
          .prepare('SELECT a FROM added')
          .all()
          .map(({ a }) => a),
      ).toEqual([2]);
      expect(database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'more'").get()).toBeUndefined();
      database.close();
    }
    expect(() => openSqliteFile(path, MIGRATIONS)).toThrow('was made by a newer image-cleaner');
  });

  test('a history that the very first run is making is an empty one to who reads it', async () => {
    const path = join(temporaryFolder(), 'history.db');
    const making = new DatabaseSync(path);
    making.exec('PRAGMA auto_vacuum = incremental; PRAGMA journal_mode = wal');
    for (const stage of ['', 'BEGIN IMMEDIATE; CREATE TABLE half (a)']) {
      making.exec(stage);
      const { history } = await openTestHistory({ path, readOnly: true });
      expect(await history.listRuns({ limit: 9 })).toEqual([]);
    }
    making.close();
  });

  test('a history made anew can give space back and goes on beside readers', async () => {
    const path = await historyWithRun();
    const database = new DatabaseSync(path);
    expect(database.prepare('PRAGMA auto_vacuum').get()).toEqual({ auto_vacuum: 2 });
    expect(database.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' });
    expect(database.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' });
    database.close();
  });
});
