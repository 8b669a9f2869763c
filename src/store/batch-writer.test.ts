import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryFolder } from '../../test/fakes/history-in-test.ts';
import { NEVER } from '../../test/fakes/node-results.ts';
import { SYSTEM_TIMING } from '../platform/timing.ts';
import { BatchWriter } from './batch-writer.ts';
import { SqliteDatabase } from './sqlite-database.ts';
import { openSqliteFile } from './open-sqlite-file.ts';
import { ReopeningDatabase } from './reopening-database.ts';

interface Item {
  readonly name: string;
  readonly bytes: number;
}

/** A real file that SQLite itself keeps from growing: what it then says is what it says of a full disk. */
function limitedWriter(): {
  writer: BatchWriter<Item>;
  batches: number[];
  limit: (isFull: boolean) => void;
  written: () => Promise<string[]>;
} {
  const path = join(temporaryFolder(), 'history.db');
  const database = new SqliteDatabase(path, { database: openSqliteFile(path) });
  const reopening = new ReopeningDatabase({ name: path, open: () => database, monotonicNow: () => 0, onFault: () => undefined });
  const batches: number[] = [];
  const writer = new BatchWriter<Item>({
    database: reopening,
    timing: SYSTEM_TIMING,
    durability: 'power',
    write: async (changes, items) => {
      batches.push(items.length);
      for (const { name, bytes } of items) {
        if (name === 'bad') throw new Error('this one cannot be written');
        await changes
          .insertInto('scanner_version')
          .values({ identity: `${name} ${'x'.repeat(bytes)}`, version: name, told_ms: 0 })
          .execute();
      }
    },
    rowsOf: () => 100,
  });
  onTestFinished(() => reopening.close());
  return {
    writer,
    batches,
    limit: (isFull) => database.exec(`PRAGMA max_page_count = ${isFull ? 1 : 1_000_000}`),
    written: async () =>
      (await database.queries.selectFrom('scanner_version').select('version').execute()).map(({ version }) => version).sort(),
  };
}

const outcomes = async (calls: readonly Promise<void>[]): Promise<string[]> =>
  (await Promise.allSettled(calls)).map(({ status }) => status);

test('what comes at once is written at once, so much at a time', async () => {
  const { writer, batches, written } = limitedWriter();
  const names = Array.from({ length: 12 }, (_, number) => `item ${number}`);
  await Promise.all(names.map((name) => writer.add({ name, bytes: 1 }, NEVER)));
  expect(batches).toEqual([5, 5, 2]);
  expect(await written()).toEqual(names.toSorted());
});

test('what cannot be written spoils nothing else', async () => {
  const { writer, written } = limitedWriter();
  const calls = ['one', 'bad', 'two'].map((name) => writer.add({ name, bytes: 1 }, NEVER));
  expect(await outcomes(calls)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(await written()).toEqual(['one', 'two']);
});

test('what there is no room for is rejected and forgotten; what there is room for is written', async () => {
  const { writer, limit, written } = limitedWriter();
  await writer.add({ name: 'first', bytes: 1 }, NEVER);
  limit(true);
  const calls = [
    { name: 'large', bytes: 9_000 },
    { name: 'small', bytes: 1 },
  ].map((item) => writer.add(item, NEVER));
  expect(await outcomes(calls)).toEqual(['rejected', 'fulfilled']);
  await expect(writer.add({ name: 'large', bytes: 9_000 }, NEVER)).rejects.toMatchObject({ code: 'full' });
  limit(false);
  await writer.add({ name: 'large', bytes: 9_000 }, NEVER);
  expect(await written()).toEqual(['first', 'large', 'small']);
});
