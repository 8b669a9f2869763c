import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../test/fakes/history-in-test.ts';
import { asHistoryError } from './sqlite-error.ts';

/** As Node throws it. */
function sqliteFault(errcode: number): Error {
  return Object.assign(new Error('disk I/O error'), { code: 'ERR_SQLITE_ERROR', errcode });
}

test.each([778, 1034, 4874])('a fault of writing (%i) where there is space is one of the disk, and leaves nothing behind', (errcode) => {
  const folder = temporaryFolder();
  const path = join(folder, 'history.db');
  expect(asHistoryError(sqliteFault(errcode), path)).toMatchObject({
    code: 'unreadable',
    message: `the history ${path} cannot be written to: the disk reports a fault (disk I/O error)`,
  });
  expect(readdirSync(folder)).toEqual([]);
});
