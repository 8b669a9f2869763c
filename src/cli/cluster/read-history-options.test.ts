import { expect, test } from 'vitest';
import { CliError } from '../cli-error.ts';
import type { EnableOptions } from './enable-options.ts';
import { settingsOf } from './read-enable-options.ts';
import { readHistoryOptions } from './read-history-options.ts';

const URL_GIVEN = 'postgres://cleaner@db.example:5432/cleaner';
const optionsWith = (options: Partial<EnableOptions>): EnableOptions => ({
  dryRun: false,
  waitTimeout: 1,
  yes: false,
  ...options,
});
const read = (options: Partial<EnableOptions>): unknown => readHistoryOptions(optionsWith(options));

test.each<[Partial<EnableOptions>, unknown]>([
  [{}, undefined],
  [{ historyUrl: 'none' }, null],
  [{ historyUrl: URL_GIVEN }, { url: URL_GIVEN }],
  [
    { historyUrl: URL_GIVEN, historyPasswordSecret: 'history', historyCaConfigMap: 'ca' },
    { url: URL_GIVEN, passwordSecret: { name: 'history', key: 'password' }, ca: { kind: 'ConfigMap', name: 'ca', key: 'ca.crt' } },
  ],
  [{ historyPasswordSecret: 'db.history:PGPASSWORD' }, { passwordSecret: { name: 'db.history', key: 'PGPASSWORD' } }],
  [{ historyCaSecret: 'history:root.pem' }, { ca: { kind: 'Secret', name: 'history', key: 'root.pem' } }],
])('%j', (options, expected) => {
  expect(read(options)).toEqual(expected);
});

const SECRET = 'a-secret-that-nobody-may-see';

test.each<[string, Partial<EnableOptions>, RegExp]>([
  ['a password in the URL', { historyUrl: `postgres://cleaner:${SECRET}@db.example/cleaner` }, /holds a password/],
  [
    'the same for the manager',
    { managerArg: ['--max-parallel=5', `--history=postgres://cleaner:${SECRET}@db/cleaner`] },
    /holds a password/,
  ],
  ['the same with one dash', { managerArg: [`-history=postgresql://cleaner:${SECRET}@db/cleaner`] }, /holds a password/],
  ['no URL', { historyUrl: `/${SECRET}` }, /is no URL/],
  ['another server', { historyUrl: `mysql://${SECRET}@db/cleaner` }, /is no URL/],
  ['a password as a parameter', { historyUrl: `${URL_GIVEN}?password=${SECRET}` }, /parameters other than/],
  ['two CAs', { historyUrl: URL_GIVEN, historyCaConfigMap: 'a', historyCaSecret: 'b' }, /each name a CA/],
  ['a CA for no TLS', { historyUrl: `${URL_GIVEN}?sslmode=disable`, historyCaSecret: 'b' }, /sslmode=disable/],
  ['a CA beside another', { historyUrl: `${URL_GIVEN}?sslrootcert=/a/ca.crt`, historyCaSecret: 'b' }, /sslrootcert/],
  ['a password for a file', { historyUrl: 'none', historyPasswordSecret: 'b' }, /neither a password nor a CA/],
  ['no name', { historyPasswordSecret: `${SECRET}_:` }, /neither NAME nor NAME:KEY/],
  ['a key that is none', { historyCaSecret: 'a:b/c' }, /neither NAME nor NAME:KEY/],
])('%s is refused, and not repeated', (_what, options, message) => {
  let error: unknown = null;
  try {
    read(options);
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(CliError);
  expect(error).toMatchObject({ code: 'bad-usage', message: expect.stringMatching(message) as string });
  expect(`${(error as CliError).message} ${(error as CliError).hint ?? ''}`).not.toContain(SECRET);
});

test('a flag with nothing behind stands for none', () => {
  expect(settingsOf(optionsWith({ managerArg: [''], trivyArg: ['--debug', ''] }))).toEqual({ managerArgs: [], trivyArgs: ['--debug'] });
});
