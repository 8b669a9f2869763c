import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { ownerContract } from '../../test/contract/cluster-history/owner-contract.ts';
import { openTestClusterHistory } from '../../test/fakes/cluster-history-in-test.ts';
import { openTestHistory, temporaryFolder } from '../../test/fakes/history-in-test.ts';
import { isToBeClaimed } from './history-owner.ts';
import { MIGRATIONS } from './migrations.ts';
import { openSqliteFile } from './open-sqlite-file.ts';

ownerContract(openTestClusterHistory, 'DELETE FROM owner');

test.each<[string | null, string | null, 'claimed' | 'kept' | 'refused']>([
  [null, null, 'claimed'],
  [null, 'theirs', 'claimed'],
  ['ours', null, 'kept'],
  ['ours', 'theirs', 'kept'],
  ['ours', 'ours', 'kept'],
  ['theirs', 'theirs', 'claimed'],
  ['theirs', null, 'refused'],
  ['theirs', 'a third', 'refused'],
])('a history of %s, opened by ours, which would take it from %s, is %s', (stored, from, expected) => {
  const judge = (): string => (isToBeClaimed(stored, { cluster: 'ours', from }, 'h') ? 'claimed' : 'kept');
  if (expected === 'refused') expect(judge).toThrow(/another cluster/);
  else expect(judge()).toBe(expected);
});

test('a file of before version 8 is brought up to date, and is of the first that opens it', async () => {
  const path = join(temporaryFolder(), 'history.db');
  openSqliteFile(path, MIGRATIONS.slice(0, 7)).close();
  const it = await openTestClusterHistory({ path, owner: { cluster: 'ours', from: null } });
  expect([it.faults, await it.query('SELECT cluster FROM owner')]).toEqual([[], [{ cluster: 'ours' }]]);
});

test('nothing of a file of another cluster is changed, also where a later version would have made other tables of it', async () => {
  const it = await openTestClusterHistory({ owner: { cluster: 'ours', from: null } });
  await it.history.close();
  const database = new DatabaseSync(it.path);
  // As if there had been a migration since.
  database.exec(`PRAGMA user_version = ${MIGRATIONS.length - 1}`);
  database.close();
  const before = readFileSync(it.path);
  const owner = { cluster: 'theirs', from: null };
  await expect(openTestClusterHistory({ path: it.path, owner })).rejects.toMatchObject({ code: 'other-cluster' });
  expect(readFileSync(it.path).equals(before)).toBe(true);
});

test('whoever only reads does not ask whose it is', async () => {
  const it = await openTestClusterHistory({ owner: { cluster: 'ours', from: null } });
  const shown = await openTestHistory({ path: it.path, readOnly: true });
  expect(await shown.history.listRuns({ limit: 1 })).toEqual([]);
});
