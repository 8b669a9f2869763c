import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryFolder } from '../../test/fakes/history-in-test.ts';
import { SqliteDatabase } from './sqlite-database.ts';
import { openSqliteFile } from './open-sqlite-file.ts';
import { WriteQueue, type Entry } from './write-queue.ts';

/** A real file that SQLite itself keeps from growing: what it then says is what it says of a full disk. */
function limitedQueue(): { database: SqliteDatabase; queue: WriteQueue; warnings: string[]; limit: (isFull: boolean) => void } {
  const path = join(temporaryFolder(), 'history.db');
  const database = new SqliteDatabase(path, { database: openSqliteFile(path) });
  onTestFinished(() => database.close());
  const warnings: string[] = [];
  const queue = new WriteQueue(database, (message) => warnings.push(message));
  const limit = (isFull: boolean): void => {
    database.exec(`PRAGMA max_page_count = ${isFull ? 1 : 1_000_000}`);
  };
  return { database, queue, warnings, limit };
}

/** More than one page, so that there is no room for it in those that are there. */
function entry(name: string): Entry {
  const identity = `${name} ${'x'.repeat(9_000)}`;
  return {
    durability: 'power',
    write: async (changes) => {
      const { told_ms } = await changes
        .selectFrom('scanner_version')
        .select(({ fn }) => fn.countAll<number>().as('told_ms'))
        .executeTakeFirstOrThrow();
      await changes.insertInto('scanner_version').values({ identity, version: name, told_ms }).execute();
    },
  };
}

async function written({ queries }: SqliteDatabase): Promise<string[]> {
  const rows = await queries.selectFrom('scanner_version').select('version').orderBy('told_ms').execute();
  return rows.map(({ version }) => version);
}

test('what there is no space for is written later, all of it and in its order', async () => {
  const { database, queue, warnings, limit } = limitedQueue();
  await queue.add(entry('first'));
  limit(true);
  await queue.add(entry('second'));
  await Promise.all([queue.add(entry('third')), queue.add(entry('fourth'))]);
  expect(await written(database)).toEqual(['first']);
  await expect(queue.flush()).rejects.toMatchObject({ code: 'full' });
  limit(false);
  await queue.add(entry('fifth'));
  expect(await written(database)).toEqual(['first', 'second', 'third', 'fourth', 'fifth']);
  expect(warnings).toEqual([expect.stringContaining('kept in memory') as string]);
});

test('any other fault is the fault of the entry', async () => {
  const { database, queue } = limitedQueue();
  database.exec('DROP TABLE scanner_version');
  await expect(queue.add(entry('first'))).rejects.toMatchObject({ code: 'unreadable' });
});
