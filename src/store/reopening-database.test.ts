import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryFolder } from '../../test/fakes/history-in-test.ts';
import type { HistoryDatabase } from './history-database.ts';
import { historyError, type HistoryErrorCode } from './history-error.ts';
import { openSqliteFile } from './open-sqlite-file.ts';
import { ReopeningDatabase } from './reopening-database.ts';
import { SqliteDatabase } from './sqlite-database.ts';

interface Reopened {
  readonly database: ReopeningDatabase;
  readonly path: string;
  readonly opened: HistoryDatabase[];
  readonly told: (HistoryErrorCode | null)[];
}

function reopening(): Reopened {
  const path = join(temporaryFolder(), 'history.db');
  const [opened, told]: [HistoryDatabase[], (HistoryErrorCode | null)[]] = [[], []];
  const open = (): HistoryDatabase => {
    const database = new SqliteDatabase(path, { database: openSqliteFile(path) });
    opened.push(database);
    return database;
  };
  const database = new ReopeningDatabase({ name: path, open, monotonicNow: () => 0, onFault: (fault) => told.push(fault?.code ?? null) });
  onTestFinished(() => database.close());
  return { database, path, opened, told };
}

const remember = (version: string): ((database: HistoryDatabase) => Promise<void>) => {
  const values = { identity: version, version, told_ms: 0 };
  return (database) =>
    database.write('power', async (changes) => {
      await changes.insertInto('scanner_version').values(values).execute();
    });
};
const read = async (database: HistoryDatabase): Promise<string[]> =>
  (await database.queries.selectFrom('scanner_version').select('version').execute()).map(({ version }) => version);

test('stays open for all that use it', async () => {
  const { database, opened, told } = reopening();
  await Promise.all(['a', 'b', 'c'].map((version) => database.use(remember(version))));
  expect(await database.use(read)).toEqual(['a', 'b', 'c']);
  expect([opened.length, told]).toEqual([1, []]);
});

test('what is written while the file is taken away is no success', async () => {
  const { database, path, told } = reopening();
  const work = database.use(async (opened) => {
    renameSync(path, `${path}.old`);
    await remember('a')(opened);
  });
  await expect(work).rejects.toMatchObject({ code: 'unreadable', message: expect.stringContaining('removed or replaced') as string });
  await database.use(remember('b'));
  expect(await database.use(read)).toEqual(['b']);
  expect(told).toEqual(['unreadable', null]);
});

test('is not opened anew before the last of its users is done', async () => {
  const { database, path, opened } = reopening();
  const gate = Promise.withResolvers<undefined>();
  const held = database.use(async (first) => {
    await gate.promise;
    return read(first);
  });
  await database.use(remember('a'));
  rmSync(path);
  const next = database.use(read);
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(opened).toHaveLength(1);
  gate.resolve(undefined);
  await expect(held).rejects.toMatchObject({ code: 'unreadable' });
  expect(await next).toEqual([]);
  expect(opened).toHaveLength(2);
});

test('what was under way, and ends well after a fault, is no sign that the fault is over', async () => {
  const { database, told } = reopening();
  const gate = Promise.withResolvers<undefined>();
  const held = database.use(async (opened) => {
    await gate.promise;
    return read(opened);
  });
  await expect(database.use(() => Promise.reject(historyError('away', 'a fault')))).rejects.toMatchObject({ code: 'away' });
  gate.resolve(undefined);
  expect(await held).toEqual([]);
  expect([told, database.fault?.code]).toEqual([['away'], 'away']);
  await database.use(remember('a'));
  expect([told, database.fault]).toEqual([['away', null], null]);
});

test('another process that writes is told to the caller alone', async () => {
  const { database, opened, told } = reopening();
  await expect(database.use(() => Promise.reject(historyError('busy', 'a fault')))).rejects.toMatchObject({ code: 'busy' });
  await database.use(read);
  expect([opened.length, told, database.fault]).toEqual([1, [], null]);
});

test.each<[HistoryErrorCode, number]>([
  ['full', 1],
  ['unreadable', 2],
  ['read-only', 2],
  ['corrupt', 2],
])('after a fault of the kind %s is opened %i times', async (code, times) => {
  const { database, opened, told } = reopening();
  await expect(database.use(() => Promise.reject(historyError(code, 'a fault')))).rejects.toMatchObject({ code });
  expect(database.fault).toMatchObject({ code });
  expect(await database.use(read)).toEqual([]);
  expect([opened.length, told, database.fault]).toEqual([times, [code, null], null]);
});

test('what the work throws otherwise is no fault of the file', async () => {
  const { database, opened, told } = reopening();
  await expect(database.use(() => Promise.reject(new Error('a bug')))).rejects.toThrow('a bug');
  await database.use(read);
  expect([opened.length, told]).toEqual([1, []]);
});

test('once closed, is not opened again', async () => {
  const { database } = reopening();
  await database.use(read);
  await database.close();
  await expect(database.use(read)).rejects.toThrow('is closed');
});
