import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { makeAuthority } from '../../lab/certificates.ts';
import { startPostgres, type Postgres } from '../../lab/postgres.ts';
import { lacksRealPart } from '../../lab/real-parts.ts';
import type { ClusterHistory } from '../../src/store/cluster-history.ts';
import type { HistoryErrorCode } from '../../src/store/history-error.ts';
import { clusterHistoryContract } from '../contract/cluster-history/cluster-history-contract.ts';
import { containerLogsContract } from '../contract/cluster-history/container-logs-contract.ts';
import { nodeRunsContract } from '../contract/cluster-history/node-runs-contract.ts';
import { ownerContract } from '../contract/cluster-history/owner-contract.ts';
import { pruneContract } from '../contract/cluster-history/prune-contract.ts';
import { readJobsContract } from '../contract/cluster-history/read-jobs-contract.ts';
import { openTestClusterHistoryAt } from '../fakes/cluster-history-in-test.ts';
import { startImageServer } from '../fakes/image-server.ts';
import { image } from '../fakes/images.ts';
import { keptOn, lookAt, NEVER, nodeResults, removedOn, workerPod } from '../fakes/node-results.ts';
import { runCli } from './run-cli.ts';
import { makeDatabase, makeOwner, openerOn, OWNER, PASSWORD, placeOf, type PlaceOptions } from './postgres-history.ts';

describe.skipIf(lacksRealPart('postgres'))('a history in a PostgreSQL', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres();
    await makeOwner(server);
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const open = openerOn(() => server);
  const record = ({ results }: ClusterHistory, node: string, job = 'job-1'): Promise<void> =>
    results.record(workerPod(node, job), nodeResults([removedOn(image(1))]), `digest of ${node}`, NEVER);

  describe('does what one in a file does', () => {
    clusterHistoryContract(open);
    nodeRunsContract(open);
    containerLogsContract(open);
    readJobsContract(open);
    pruneContract(open);
    ownerContract(open, 'UPDATE history_schema SET cluster = NULL');
  });

  describe('opening', () => {
    test('by several managers at once makes the tables once', async () => {
      const place = placeOf(server, await makeDatabase(server));
      const opened = await Promise.all(Array.from({ length: 5 }, () => open({ place })));
      expect(opened.map(({ faults }) => faults)).toEqual([[], [], [], [], []]);
      await Promise.all(opened.map(({ history }, at) => record(history, `node-${at}`)));
      expect(await opened[0]?.query('SELECT application, version::int, cluster FROM history_schema')).toEqual([
        { application: 'image-cleaner', version: 2, cluster: 'here' },
      ]);
      expect(await opened[0]?.history.readTotals('job-1')).toMatchObject({ nodes: 5 });
    });

    test.each<[string, HistoryErrorCode, string]>([
      ['newer', 'newer', 'UPDATE history_schema SET version = 99'],
      ['another program’s, with a table of that name', 'foreign', 'DROP TABLE history_schema; CREATE TABLE history_schema (version int)'],
      ['another program’s, with a mark of its own', 'foreign', "UPDATE history_schema SET application = 'other'"],
      ['another program’s, without any mark', 'foreign', 'DROP TABLE history_schema'],
    ])('what is %s is refused, and left as it is', async (_, code, spoil) => {
      const it = await open();
      await it.history.close();
      await it.query(spoil);
      const tables = "SELECT count(*)::int AS tables FROM pg_tables WHERE schemaname = 'public'";
      const before = await it.query(tables);
      await expect(open({ place: it.place })).rejects.toMatchObject({ code, message: expect.stringContaining(it.name) as string });
      expect(await it.query(tables)).toEqual(before);
    });

    test('a manager that a newer one has come after writes no more', async () => {
      const it = await open();
      await record(it.history, 'node-1');
      await it.query('UPDATE history_schema SET version = 3');
      await expect(record(it.history, 'node-2')).rejects.toMatchObject({ code: 'newer' });
      expect(await it.query('SELECT node FROM node_run')).toEqual([{ node: 'node-1' }]);
    });

    test('one of version 1 is brought up to date, and is of the first that opens it', async () => {
      const it = await open();
      await record(it.history, 'node-1');
      await it.history.close();
      await it.query('ALTER TABLE history_schema DROP COLUMN cluster; UPDATE history_schema SET version = 1');
      const again = await open({ place: it.place, owner: { cluster: 'ours', from: null } });
      await record(again.history, 'node-2');
      expect(await it.query('SELECT version::int, cluster FROM history_schema')).toEqual([{ version: 2, cluster: 'ours' }]);
      expect(await it.query('SELECT node FROM node_run')).toHaveLength(2);
    });

    test('what another cluster has is not even brought up to date', async () => {
      const it = await open({ owner: { cluster: 'ours', from: null } });
      await it.history.close();
      await it.query('UPDATE history_schema SET version = 1');
      await expect(open({ place: it.place, owner: { cluster: 'theirs', from: null } })).rejects.toMatchObject({ code: 'other-cluster' });
      expect(await it.query('SELECT version::int, cluster FROM history_schema')).toEqual([{ version: 1, cluster: 'ours' }]);
    });

    test('of the managers of two clusters that open it at once, one has it', async () => {
      const place = placeOf(server, await makeDatabase(server));
      const attempts = await Promise.allSettled(
        ['ours', 'theirs', 'ours', 'theirs'].map((cluster) => open({ place, owner: { cluster, from: null } })),
      );
      const [owner] = await server.query('SELECT cluster FROM history_schema', place.url.database);
      const expected = owner?.['cluster'] === 'ours' ? ['fulfilled', 'rejected'] : ['rejected', 'fulfilled'];
      expect(attempts.map(({ status }) => status)).toEqual([...expected, ...expected]);
    });

    test('a manager whose history another cluster has taken over writes no more', async () => {
      const it = await open({ owner: { cluster: 'ours', from: null } });
      await record(it.history, 'node-1');
      const other = await open({ place: it.place, owner: { cluster: 'theirs', from: 'ours' } });
      for (let attempt = 0; attempt < 2; attempt += 1) {
        await expect(record(it.history, 'node-2')).rejects.toMatchObject({ code: 'other-cluster' });
      }
      await record(other.history, 'node-3');
      expect([it.faults, other.faults]).toEqual([['other-cluster'], []]);
      expect(await it.query('SELECT node FROM node_run ORDER BY node')).toEqual([{ node: 'node-1' }, { node: 'node-3' }]);
    });
  });

  describe('what does not let one in', () => {
    const otherCa = async (): Promise<string> => {
      const folder = mkdtempSync(join(tmpdir(), 'image-cleaner-ca-'));
      onTestFinished(() => rmSync(folder, { recursive: true }));
      return (await makeAuthority(folder)).certificate;
    };
    const own = (): string => `sslmode=verify-full&sslrootcert=${server.authority.certificate}`;

    test.each<[string, (database: string) => Promise<PlaceOptions & { readonly database?: string }>, RegExp]>([
      ['a wrong password', () => Promise.resolve({ password: { text: `not ${PASSWORD}` } }), /password authentication failed/],
      ['no password', () => Promise.resolve({ password: null }), /password must be a string/],
      ['a password file that is not there', () => Promise.resolve({ password: { file: '/nowhere/password' } }), /ENOENT/],
      ['no such database', () => Promise.resolve({ database: 'nowhere' }), /"nowhere" does not exist/],
      ['a CA that has not signed its certificate', async () => ({ parameters: `sslrootcert=${await otherCa()}` }), /over TLS/],
      ['a CA of the system, which none of it is', () => Promise.resolve({ parameters: '' }), /over TLS/],
      ['a CA file that is not there', () => Promise.resolve({ parameters: 'sslrootcert=/nowhere/ca.crt' }), /ENOENT/],
      [
        'a name that is not in its certificate',
        () => Promise.resolve({ parameters: own(), host: server.otherHost }),
        /over TLS .*127\.0\.0\.2/,
      ],
    ])('%s is told as that, without the password', async (_, spoil, message) => {
      const options = await spoil(server.authority.certificate);
      const place = placeOf(server, options.database ?? (await makeDatabase(server)), options);
      const { history, faults } = await openTestClusterHistoryAt({ place });
      expect(faults).toEqual(['unreadable']);
      const error: unknown = await record(history, 'node-1').catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({
        code: 'unreadable',
        message: expect.stringMatching(message) as string,
        hint: expect.stringMatching(/./) as string,
      });
      expect((error as Error).message).toContain(place.url.name);
      expect(inspect([error, history.fault, history], { depth: 12, showHidden: true })).not.toContain(PASSWORD);
    });

    test('a server without TLS gets no password, unless that is wanted', async () => {
      await server.query('ALTER SYSTEM SET ssl = off');
      await server.query('SELECT pg_reload_conf()');
      onTestFinished(async () => {
        await server.query('ALTER SYSTEM RESET ssl');
        await server.query('SELECT pg_reload_conf()');
      });
      const database = await makeDatabase(server);
      await expect.poll(async () => (await server.query('SHOW ssl'))[0]?.['ssl'], { timeout: 10_000 }).toBe('off');
      const { history } = await openTestClusterHistoryAt({ place: placeOf(server, database, { parameters: own() }) });
      await expect(record(history, 'node-1')).rejects.toMatchObject({
        code: 'unreadable',
        message: expect.stringContaining('does not support SSL') as string,
      });
      await record((await open({ place: placeOf(server, database) })).history, 'node-1');
    });

    test('its own CA and a name that is in its certificate do', async () => {
      const place = placeOf(server, await makeDatabase(server), { parameters: own() });
      const { history, query } = await open({ place });
      await record(history, 'node-1');
      const connections = await query(`SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = '${OWNER}'`);
      expect(connections).toEqual([{ ssl: true }]);
    });

    test('a password that is changed is read anew', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'image-cleaner-password-'));
      onTestFinished(() => rmSync(folder, { recursive: true }));
      const file = join(folder, 'password');
      writeFileSync(file, 'an old one\n');
      const { history, faults } = await openTestClusterHistoryAt({
        place: placeOf(server, await makeDatabase(server), { password: { file } }),
      });
      expect(faults).toEqual(['unreadable']);
      writeFileSync(file, `${PASSWORD}\n`);
      await expect
        .poll(
          () =>
            record(history, 'node-1').then(
              () => 'done',
              () => 'not yet',
            ),
          { timeout: 10_000 },
        )
        .toBe('done');
      expect([faults, history.fault]).toEqual([['unreadable', null], null]);
    });
  });

  describe('what a server has otherwise than a file', () => {
    test('a text with a NUL, or a name that no index takes, is no reason to write nothing', async () => {
      const it = await open();
      const long = `docker.io/library/${randomBytes(4_000).toString('hex')}:1`;
      const decision = removedOn(image(1, { repoTags: [long, 'docker.io/library/short:1'] }));
      await it.history.results.record(workerPod('node-1'), nodeResults([decision], { message: 'a\0b' }), 'a', NEVER);
      const history = await it.shown();
      expect(await history.readRun(1)).toMatchObject({ message: 'a\uFFFDb' });
      expect(await history.readImageDecisions({ names: ['docker.io/library/short:1'], limit: 9 })).toMatchObject([
        { repoTags: [long, 'docker.io/library/short:1'] },
      ]);
    });

    test('one that may only be read from says so, until it may be written to', async () => {
      const it = await open();
      await record(it.history, 'node-1');
      const set = async (value: string): Promise<void> => {
        await it.query(`ALTER ROLE ${OWNER} SET default_transaction_read_only = ${value}`);
        await it.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${OWNER}'`);
      };
      onTestFinished(async () => {
        await server.query(`ALTER ROLE ${OWNER} RESET default_transaction_read_only`);
      });
      await set('on');
      await expect.poll(() => codeOf(record(it.history, 'node-2')), { timeout: 10_000 }).toBe('read-only');
      expect(await it.history.results.recordedDigest(workerPod('node-1'), NEVER)).toBe('digest of node-1');
      await set('off');
      await expect.poll(() => codeOf(record(it.history, 'node-2')), { timeout: 10_000 }).toBe('done');
    });

    test('another that writes for long is waited for, and then told to the caller alone', async () => {
      const it = await open();
      await record(it.history, 'node-1');
      const held = it.query('BEGIN; SELECT * FROM history_schema FOR UPDATE; SELECT pg_sleep(9); COMMIT');
      await delay(500);
      const first = codeOf(record(it.history, 'node-2'));
      // Readers go on meanwhile.
      expect(await it.history.results.recordedDigest(workerPod('node-1'), NEVER)).toBe('digest of node-1');
      expect(await first).toBe('busy');
      const second = codeOf(record(it.history, 'node-2'));
      await held;
      expect([await second, it.faults]).toEqual(['done', []]);
    });

    test('managers that write at once wait for each other: none meets a row that another has made', async () => {
      const one = await open();
      const two = await open({ place: one.place });
      const nodes = Array.from({ length: 100 }, (_, number) => `node-${number}`);
      const calls = nodes.map((node, at) => record((at % 2 === 0 ? one : two).history, node));
      expect(new Set(await Promise.all(calls.map(codeOf)))).toEqual(new Set(['done']));
      expect([one.faults, two.faults]).toEqual([[], []]);
      expect(await one.history.readTotals('job-1')).toMatchObject({ nodes: 100, sums: { removed: 100 } });
    });

    test('connections that end while nobody uses them are missed by nobody', async () => {
      const it = await open();
      await Promise.all(Array.from({ length: 20 }, (_, node) => it.history.results.recordedDigest(workerPod(`node-${node}`), NEVER)));
      const ended = await it.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${OWNER}'`);
      expect(ended.length).toBeGreaterThan(1);
      expect(ended.length).toBeLessThanOrEqual(4);
      await delay(200);
      await record(it.history, 'node-1');
      expect(it.faults).toEqual([]);
    });
  });

  describe('the command line', () => {
    test('shows what is in it, and changes nothing', async () => {
      const it = await open();
      await it.history.recordJobBegan({ uid: 'uid-1', name: 'imagejob-abcde', mode: 'automatic', startedAt: 0 }, NEVER);
      await record(it.history, 'node-1', 'uid-1');
      await it.history.logs.append(workerPod('node-1', 'uid-1'), { container: 'remover', sequence: 0, lines: ['a line'] }, NEVER);
      await it.history.close();
      const file = join(mkdtempSync(join(tmpdir(), 'image-cleaner-password-')), 'password');
      onTestFinished(() => rmSync(dirname(file), { recursive: true }));
      writeFileSync(file, PASSWORD);
      const url = `${it.name}?sslmode=disable`;
      const ask = async (...args: string[]): Promise<unknown> => {
        const { code, stdout, stderr } = await runCli([
          'history',
          '--history',
          url,
          '--history-password-file',
          file,
          '-o',
          'json',
          ...args,
        ]);
        expect([args, code], stderr).toEqual([args, 0]);
        return JSON.parse(stdout);
      };
      expect(await ask()).toMatchObject([{ id: 1, node: { name: 'node-1', job: { name: 'imagejob-abcde' } } }]);
      expect(await ask('--jobs')).toMatchObject([{ uid: 'uid-1', nodes: 1 }]);
      expect(await ask('--image', 'image-1:1')).toMatchObject([{ runId: 1, node: 'node-1' }]);
      expect(JSON.stringify(await ask('--job', 'imagejob-abcde', '--logs'))).toContain('a line');
      const wrong = await runCli(['history', '--history', url], { PGPASSWORD: `not ${PASSWORD}` });
      expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining('password authentication failed') as string]);
      expect(wrong.stderr).not.toContain(PASSWORD);
      const empty = await runCli(['history', '--history', url.replace(/history_[0-9]+/, await makeDatabase(server))], {
        PGPASSWORD: PASSWORD,
      });
      expect([empty.code, empty.stderr]).toEqual([1, expect.stringContaining('is empty') as string]);
      await using runtime = await startImageServer([]);
      const cleaned = await runCli(['clean', '--yes', '--scanner', 'none', '--runtime-endpoint', runtime.socketPath, '--history', url]);
      expect([cleaned.code, cleaned.stderr]).toEqual([3, expect.stringContaining('The history of a machine is a file') as string]);
    });
  });

  describe('a server that goes away', () => {
    test('at the beginning is no end: it is used when it is there', async () => {
      const place = placeOf(server, await makeDatabase(server));
      await server.stop();
      onTestFinished(() => server.start());
      const { history, faults } = await openTestClusterHistoryAt({ place });
      expect([faults, history.fault?.code]).toEqual([['away'], 'away']);
      await expect(record(history, 'node-1')).rejects.toMatchObject({ code: 'away', action: 'retry' });
      await server.start();
      await expect.poll(() => codeOf(record(history, 'node-1')), { timeout: 20_000 }).toBe('done');
      expect(faults).toEqual(['away', null]);
    });

    test.each<[string, () => Promise<void>]>([
      [
        'is killed',
        async () => {
          await server.kill();
          await delay(300);
          await server.start();
        },
      ],
      [
        'is stopped as its operator does',
        async () => {
          await server.stop();
          await delay(300);
          await server.start();
        },
      ],
      [
        'does not answer for a while',
        async () => {
          server.pause();
          await delay(28_000);
          server.resume();
        },
      ],
    ])(
      'and %s, in the midst of many writes: what it has acknowledged is there, and all of it once',
      { timeout: 120_000 },
      async (_, goAway) => {
        const it = await open();
        const other = await open({ place: it.place });
        const acknowledged: string[] = [];
        const codes = new Set<string>();
        let isOver = false;
        /** As a worker pod does: until it is acknowledged. */
        const until = async (call: () => Promise<unknown>): Promise<void> => {
          for (;;) {
            const code = await codeOf(call());
            if (code === 'done') return;
            codes.add(code);
            await delay(100);
          }
        };
        const lane = async (history: ClusterHistory, name: string): Promise<void> => {
          for (let number = 0; !isOver; number += 1) {
            const pod = workerPod(`${name}-${number}`);
            await until(() => history.images.observe(pod, lookAt([image(1), image(2)]), NEVER));
            await until(() => history.logs.append(pod, { container: 'remover', sequence: 0, lines: ['one'] }, NEVER));
            await until(() => history.logs.append(pod, { container: 'remover', sequence: 1, lines: ['two'] }, NEVER));
            const results = nodeResults([removedOn(image(1)), keptOn(image(2))]);
            await until(() => history.results.record(pod, results, `digest of ${pod.node}`, NEVER));
            acknowledged.push(pod.node);
          }
        };
        const lanes = [it, other].flatMap(({ history }, at) => Array.from({ length: 6 }, (_, number) => lane(history, `${at}-${number}`)));
        await expect.poll(() => acknowledged.length, { timeout: 20_000 }).toBeGreaterThan(50);
        await goAway();
        const before = acknowledged.length;
        await expect.poll(() => acknowledged.length, { timeout: 60_000 }).toBeGreaterThan(before + 50);
        isOver = true;
        await Promise.all(lanes);
        expect([...codes]).toEqual(['away']);
        expect([it.faults, other.faults]).toEqual([
          ['away', null],
          ['away', null],
        ]);
        const nodes = (await it.query('SELECT node FROM node_run')).map(({ node }) => String(node));
        expect(nodes.sort()).toEqual([...acknowledged].sort());
        const [counts] = await it.query(
          'SELECT (SELECT count(*) FROM run)::int AS runs, (SELECT count(*) FROM decision)::int AS decisions, (SELECT count(*) FROM log_piece)::int AS pieces',
        );
        expect(counts).toEqual({ runs: nodes.length, decisions: 2 * nodes.length, pieces: 2 * nodes.length });
        expect(await it.query('SELECT key FROM log WHERE pieces <> 2 OR bytes <> 8')).toEqual([]);
        expect(await it.query('SELECT bytes FROM log_size WHERE bytes <> (SELECT sum(length(packed)) FROM log_piece)')).toEqual([]);
        expect(await it.history.readTotals('job-1')).toMatchObject({ nodes: nodes.length, sums: { removed: nodes.length } });
      },
    );
  });
});

/** `done`, or the code of the error. */
async function codeOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'done',
    (error: unknown) => String((error as { code?: unknown }).code),
  );
}
