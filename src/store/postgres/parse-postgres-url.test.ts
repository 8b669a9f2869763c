import { describe, expect, test } from 'vitest';
import { parsePostgresUrl } from './parse-postgres-url.ts';

describe('a URL', () => {
  test.each([
    ['postgres://ada@db/history', { host: 'db', port: 5432, user: 'ada', database: 'history', tls: { caFile: null } }],
    [
      'postgresql://ada@db.example:6000/a%20b?sslmode=verify-full',
      { port: 6000, database: 'a b', name: 'postgres://ada@db.example:6000/a%20b' },
    ],
    [
      'postgres://a%40b@[::1]:5433/h?sslmode=disable',
      { host: '::1', port: 5433, user: 'a@b', tls: null, name: 'postgres://a%40b@[::1]:5433/h' },
    ],
    ['postgres://ada@10.0.0.1/h?sslrootcert=/etc/ca.crt', { host: '10.0.0.1', tls: { caFile: '/etc/ca.crt' } }],
  ])('%s is taken', (text, url) => {
    expect(parsePostgresUrl(text)).toEqual({ ok: true, url: expect.objectContaining(url) as unknown });
  });

  test.each([
    ['/var/lib/history.db', 'is no URL'],
    ['mysql://ada@db/history', 'is no URL'],
    ['postgres://ada:hush@db/history', 'holds a password'],
    ['postgres://ada@db/history?password=hush', 'has parameters other than sslmode and sslrootcert'],
    ['postgres://db/history', 'names no user'],
    ['postgres://ada@/history', 'is no URL'],
    ['postgres://ada@one,two/history', 'names no host, or more than one'],
    ['postgres://ada@db', 'names no database'],
    ['postgres://ada@db/a/b', 'names no database'],
    ['postgres://ada@db/a%00b', 'is not encoded'],
    ['postgres://a%zz@db/a', 'is not encoded'],
    ['postgres://ada@db/history?sslmode=require', 'its sslmode is verify-full or disable'],
    ['postgres://ada@db/history?sslmode=disable&sslmode=verify-full', 'has a parameter twice'],
    ['postgres://ada@db/history?sslrootcert=ca.crt', 'its sslrootcert is no absolute path'],
    ['postgres://ada@db/history?sslmode=disable&sslrootcert=/ca.crt', 'would not look at'],
    ['postgres://ada@db/history#hush', 'has a fragment'],
  ])('%s is refused, with what is allowed and without a secret', (text, problem) => {
    const parsed = parsePostgresUrl(text);
    expect(parsed).toEqual({ ok: false, message: expect.stringContaining(problem) as string });
    expect(parsed).toEqual({ ok: false, message: expect.stringContaining('allowed is postgres://USER@HOST') as string });
    expect(JSON.stringify(parsed)).not.toContain('hush');
  });
});
