import { chmodSync, chownSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, onTestFinished, test } from 'vitest';
import { clusterHistoryContract } from '../../test/contract/cluster-history/cluster-history-contract.ts';
import { openTestClusterHistory } from '../../test/fakes/cluster-history-in-test.ts';
import { FakeTiming } from '../../test/fakes/fake-timing.ts';
import { openTestHistory, temporaryFolder } from '../../test/fakes/history-in-test.ts';
import { image } from '../../test/fakes/images.ts';
import { ending, HOLDER, plan, removal, runStart } from '../../test/fakes/runs.ts';
import { NEVER, nodeResults, removedOn, workerPod } from '../../test/fakes/node-results.ts';
import { MIGRATIONS } from './migrations.ts';
import { openSqliteFile } from './open-sqlite-file.ts';
import type { ClusterHistory } from './cluster-history.ts';

const POD = workerPod('node-1');
const RESULTS = nodeResults([removedOn(image(1))]);

const record = ({ results }: ClusterHistory, job: string): Promise<void> =>
  results.record(workerPod('node-1', job), RESULTS, 'digest', NEVER);

clusterHistoryContract(openTestClusterHistory);

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
