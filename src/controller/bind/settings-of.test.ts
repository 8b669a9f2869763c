import { describe, expect, test } from 'vitest';
import { parseFlags } from '../parse-flags.ts';
import { historyPlaceOf } from './settings-of.ts';

const placeOf = (flags: readonly string[], env: Record<string, string> = {}) =>
  historyPlaceOf({ flags: parseFlags(['--worker-image=image', ...flags]), env });

describe('the place of the history', () => {
  test('is a file, unless the flag is the URL of a PostgreSQL', () => {
    expect(placeOf([])).toEqual({ path: '/var/lib/image-cleaner/history.db' });
    expect(placeOf(['--history=/elsewhere/history.db'], { PGPASSWORD: 'hush' })).toEqual({ path: '/elsewhere/history.db' });
    const url = expect.objectContaining({ host: 'db', name: 'postgres://ada@db:5432/history' }) as unknown;
    const flag = '--history=postgres://ada@db/history';
    // As a chart appends it.
    expect(placeOf(['--history=/var/lib/history.db', flag])).toMatchObject({ url });
    expect(placeOf([flag])).toEqual({ url, password: null });
    expect(placeOf([flag], { PGPASSWORD: 'hush' })).toEqual({ url, password: { text: 'hush' } });
    expect(placeOf([flag, '--history-password-file=/secret/password'], { PGPASSWORD: 'hush' })).toEqual({
      url,
      password: { file: '/secret/password' },
    });
  });

  test.each([
    [['--history=postgres://ada:hush@db/history'], /holds a password/],
    [['--history=postgres://ada@db/history?sslmode=prefer'], /allowed is postgres:/],
    [['--history=mysql://ada:hush@db/history'], /none of a PostgreSQL/],
    [['--history-password-file=/secret/password'], /goes with/],
  ])('%j is bad usage, told without a secret', (flags, message) => {
    expect(() => placeOf(flags)).toThrow(expect.objectContaining({ code: 'bad-usage', message: expect.stringMatching(message) as string }));
    expect(() => placeOf(flags)).not.toThrow(/hush/);
  });
});
