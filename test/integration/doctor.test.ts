import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdir, mkdtemp, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { createServer as createNetServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import * as z from 'zod';
import { startContainerd, type PrivateContainerd } from '../../lab/containerd.ts';
import { removeSandbox, runningContainer } from '../../lab/containers.ts';
import { demoDatabase, demoImages } from '../../lab/demo-images.ts';
import { buildImage, deleteLayerContent, importImages, listImageIds } from '../../lab/images.ts';
import { lacksRealPart } from '../../lab/real-parts.ts';
import { runCommand } from '../../lab/run-command.ts';
import { ensureTrivy } from '../../lab/tools.ts';
import { writeTrivyDatabase } from '../../lab/trivy-database.ts';
import { waitUntil } from '../../lab/wait-until.ts';
import { fastClock } from './bad-input/fake-clock.ts';
import { CLI, newHistory, runCli, type CliResult } from './run-cli.ts';

/** `doctor` on the real parts: each check sees what is wrong, none throws, and nothing is changed. */

const documentSchema = z.strictObject({
  ok: z.boolean(),
  version: z.string(),
  checks: z.array(z.strictObject({ id: z.string(), status: z.string(), found: z.string(), advice: z.string().nullable() })),
});
type Document = z.infer<typeof documentSchema>;

function parseDoctor({ stdout }: Pick<CliResult, 'stdout'>): Document {
  return documentSchema.parse(JSON.parse(stdout));
}

function checkOf({ checks }: Document, id: string): Document['checks'][number] | undefined {
  return checks.find((check) => check.id === id);
}

/** For what is waited for as long as doctor waits for anything: by a clock of its own, of which ten seconds are two here. */
const inHaste = (): Promise<Record<string, string>> => (lacksRealPart('fake-clock') ? Promise.resolve({}) : fastClock(5));
const HANGS = 'exec sleep 600';

/** Those that do not depend on the machine that the tests run on. */
const WELL = {
  runtime: 'ok',
  rights: 'ok',
  'containerd-services': 'ok',
  trivy: 'ok',
  'vulnerability-database': 'ok',
  history: 'ok',
  eraser: 'ok',
};

describe.skipIf(lacksRealPart('containerd-v2') || lacksRealPart('trivy'))('doctor', () => {
  let containerd: PrivateContainerd;
  let folder: string;
  let cacheDir: string;
  let trivy: string;
  /** With everything, but for what is given. */
  const doctor = (given: Readonly<Record<string, string>> = {}, env: Readonly<Record<string, string>> = {}): Promise<CliResult> => {
    const options = { '--runtime-endpoint': containerd.endpoint, '--trivy': trivy, '--trivy-cache-dir': cacheDir, '-o': 'json', ...given };
    return runCli(['doctor', ...Object.entries(options).flat()], env);
  };
  const statuses = ({ checks }: Document): Record<string, string> => Object.fromEntries(checks.map(({ id, status }) => [id, status]));

  beforeAll(async () => {
    containerd = await startContainerd({ version: 'v2' });
    const found = await ensureTrivy();
    if (found.kind === 'missing') throw new Error(found.reason);
    trivy = found.path;
    await importImages(containerd, (await demoImages()).all);
  });
  afterAll(() => containerd.stop());
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'image-cleaner-test-'));
    cacheDir = join(folder, 'trivy');
    await writeTrivyDatabase(cacheDir, demoDatabase());
  });
  afterEach(() => rm(folder, { recursive: true }));

  test('a machine that has everything: no problem, exit code 0, nothing changed', async () => {
    const before = await listImageIds(containerd);
    const history = newHistory();
    const result = await doctor({ '--history': history });
    const document = parseDoctor(result);
    expect(statuses(document)).toMatchObject(WELL);
    expect({ code: result.code, ok: document.ok, stderr: result.stderr }).toEqual({ code: 0, ok: true, stderr: '' });
    expect(checkOf(document, 'runtime')?.found).toContain(`containerd`);
    expect(checkOf(document, 'runtime')?.found).toContain(`${containerd.socket} (as given)`);
    expect(checkOf(document, 'trivy')?.found).toContain(trivy);
    expect(checkOf(document, 'history')?.found).toContain(`None yet at ${history}`);
    await expect(stat(history)).rejects.toThrow('ENOENT');
    expect(await listImageIds(containerd)).toEqual(before);
    expect(document.checks.map(({ id }) => id)).toEqual(
      expect.arrayContaining(['image-filesystem', 'java-index', 'temporary-folder', 'memory', 'clock', 'kubelet']),
    );
  });

  test('the same as a table, a line for each check, and as YAML', async () => {
    const document = parseDoctor(await doctor());
    const table = (await doctor({ '-o': 'table' })).stdout.trimEnd().split('\n');
    expect(table).toHaveLength(document.checks.length + 1);
    expect(table[1]).toMatch(/^ok +runtime +containerd 2/);
    expect(Object.keys(parse((await doctor({ '-o': 'yaml' })).stdout) as object)).toEqual(['ok', 'version', 'checks']);
  });

  test('without a runtime, Trivy, database, temporary folder or history: a line for each, exit code 1', async () => {
    const history = join(folder, 'history.db');
    await writeFile(history, 'this is no database, and long enough to be looked at '.repeat(99));
    const absent = join(folder, 'absent');
    const args = ['--runtime-endpoint', join(absent, 'c.sock'), '--trivy', join(absent, 'trivy'), '--trivy-cache-dir', absent];
    const result = await runCli(['doctor', '-o', 'json', ...args, '--skip-db-update', '--history', history], { TMPDIR: absent });
    const document = parseDoctor(result);
    expect(result.code).toBe(1);
    expect(statuses(document)).toMatchObject({
      runtime: 'problem',
      'containerd-services': 'skipped',
      'image-filesystem': 'skipped',
      trivy: 'problem',
      'vulnerability-database': 'problem',
      'temporary-folder': 'problem',
      history: 'problem',
      eraser: 'skipped',
    });
    for (const { status, advice } of document.checks) if (status === 'problem') expect(advice).toMatch(/\w/);
  });

  test('a runtime that has stopped, hangs, or is another program', async () => {
    containerd.pause();
    const hanging = await doctor({}, await inHaste()).finally(() => containerd.resume());
    expect(checkOf(parseDoctor(hanging), 'runtime')).toMatchObject({
      status: 'problem',
      found: expect.stringContaining('in time') as string,
    });
    expect(hanging.code).toBe(1);
    const path = join(folder, 'other.sock');
    const other = createNetServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    await new Promise<void>((resolve) => other.listen(path, resolve));
    const foreign = parseDoctor(await doctor({ '--runtime-endpoint': path }));
    other.close();
    expect(checkOf(foreign, 'runtime')).toMatchObject({ status: 'problem', found: expect.stringContaining('gRPC') as string });
    await writeFile(join(folder, 'file.sock'), '');
    const file = parseDoctor(await doctor({ '--runtime-endpoint': join(folder, 'file.sock') }));
    expect(checkOf(file, 'runtime')).toMatchObject({ status: 'problem', found: expect.stringContaining('Nothing listens') as string });
  });

  test('root without the right to open what is of others, as in a service that is locked up', async () => {
    const [socketMode, owner] = [(await stat(containerd.socket)).mode, 65534];
    const history = join(folder, 'locked', 'history.db');
    await mkdir(join(folder, 'locked'), { mode: 0o700 });
    await chown(join(folder, 'locked'), owner, owner);
    const locked = async (...args: string[]): Promise<Document> => {
      const command = [process.execPath, CLI, 'doctor', '-o', 'json', '--runtime-endpoint', containerd.endpoint, ...args];
      const shell = '"$@" || true';
      const drop = ['--bounding-set=-dac_override,-dac_read_search', 'sh', '-c', shell, 'sh', ...command];
      return parseDoctor({ stdout: await runCommand('setpriv', drop, { env: { PATH: '/usr/bin:/bin', HOME: folder } }) });
    };
    expect(checkOf(await locked('--history', history), 'rights')).toMatchObject({
      status: 'problem',
      found: expect.stringContaining('history') as string,
    });
    await chown(containerd.socket, owner, owner);
    await chmod(containerd.socket, 0o600);
    try {
      const document = await locked('--no-history');
      expect(checkOf(document, 'rights')).toMatchObject({ status: 'problem', advice: expect.stringContaining('root') as string });
      expect(checkOf(document, 'runtime')).toMatchObject({ status: 'problem', found: expect.stringContaining('permission') as string });
    } finally {
      await chown(containerd.socket, 0, 0);
      await chmod(containerd.socket, socketMode);
    }
  });

  test.each([
    ['hangs', HANGS, 'problem', /did not finish/],
    ['is something else', 'echo garbage', 'problem', /version/],
    ['is too old', `echo '{"Version":"0.60.0"}'`, 'problem', /too old/],
    ['is no release', `echo '{"Version":"dev"}'`, 'warning', /compared/],
  ] as const)('a Trivy that %s', async (_what, script, status, found) => {
    const binary = join(folder, 'bad-trivy');
    await writeFile(binary, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    const env = script === HANGS ? await inHaste() : {};
    expect(checkOf(parseDoctor(await doctor({ '--trivy': binary }, env)), 'trivy')).toMatchObject({
      status,
      found: expect.stringMatching(found) as string,
    });
  });

  test('a Trivy is found in PATH', async () => {
    await writeFile(join(folder, 'trivy-in-path'), `#!/bin/sh\nexec ${trivy} "$@"\n`, { mode: 0o755 });
    const document = parseDoctor(await doctor({ '--trivy': 'trivy-in-path' }, { PATH: `/usr/bin:/bin:${folder}` }));
    expect(checkOf(document, 'trivy')).toMatchObject({
      status: 'ok',
      found: expect.stringContaining(join(folder, 'trivy-in-path')) as string,
    });
  });

  test('a database that is old, damaged, or of another schema', async () => {
    const look = async (): Promise<Document['checks'][number] | undefined> =>
      checkOf(parseDoctor(await doctor()), 'vulnerability-database');
    await writeTrivyDatabase(cacheDir, { ...demoDatabase(), updatedAt: new Date('2026-01-01T00:00:00Z') });
    expect(await look()).toMatchObject({ status: 'warning', found: expect.stringContaining('ago') as string });
    await writeFile(join(cacheDir, 'db', 'metadata.json'), JSON.stringify({ Version: 1, UpdatedAt: new Date().toISOString() }));
    expect(await look()).toMatchObject({ status: 'problem', found: expect.stringContaining('schema 1') as string });
    await writeTrivyDatabase(cacheDir, demoDatabase());
    await truncate(join(cacheDir, 'db', 'trivy.db'), 12_288);
    expect(await look()).toMatchObject({ status: 'problem', found: expect.stringContaining('damaged') as string });
  });

  test("the user's server: answering, with another token, and dead", async () => {
    const listener = createNetServer().listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const { port } = listener.address() as AddressInfo;
    await new Promise((resolve) => listener.close(resolve));
    const url = `http://127.0.0.1:${String(port)}`;
    const tokenFile = join(folder, 'token');
    await writeFile(tokenFile, 'secret-of-the-server');
    const look = async (env: Readonly<Record<string, string>> = {}, given: Readonly<Record<string, string>> = {}): Promise<CliResult> =>
      await doctor({ '--trivy-server': url, ...given }, env);
    const args = [
      'server',
      '--listen',
      `127.0.0.1:${String(port)}`,
      '--cache-dir',
      cacheDir,
      '--cache-backend',
      'memory',
      '--skip-db-update',
    ];
    const env = { PATH: '/usr/bin:/bin', HOME: folder, TRIVY_TOKEN: 'secret-of-the-server' };
    const server = spawn(trivy, args, { cwd: folder, env, stdio: 'ignore' });
    const ended = once(server, 'exit');
    try {
      await waitUntil('the server answers', async () => (await fetch(`${url}/healthz`).catch(() => null))?.ok === true);
      for (const well of [await look({}, { '--trivy-token-file': tokenFile }), await look({ TRIVY_TOKEN: 'secret-of-the-server' })]) {
        expect(checkOf(parseDoctor(well), 'trivy-server')).toMatchObject({ status: 'ok', found: expect.stringContaining(url) as string });
        expect(well).toMatchObject({ code: 0, stdout: expect.not.stringContaining('secret') as string });
      }
      const refused = await look({ TRIVY_TOKEN: 'secret-of-another' });
      expect(checkOf(parseDoctor(refused), 'trivy-server')).toMatchObject({
        status: 'problem',
        found: expect.stringContaining('refuses the token') as string,
        advice: expect.stringContaining('Check the token') as string,
      });
      expect(refused).toMatchObject({ code: 1, stdout: expect.not.stringContaining('secret') as string });
    } finally {
      server.kill('SIGTERM');
      await ended;
    }
    const dead = await look();
    expect(dead.code).toBe(1);
    expect(checkOf(parseDoctor(dead), 'trivy-server')).toMatchObject({
      status: 'problem',
      found: expect.stringContaining('cannot be reached') as string,
      advice: expect.stringContaining('Check that the server runs') as string,
    });
    const absent = checkOf(parseDoctor(await look({}, { '--trivy-token-file': join(folder, 'none') })), 'trivy-server');
    expect(absent).toMatchObject({ status: 'problem', found: expect.stringContaining('--trivy-token-file') as string });
    expect(checkOf(parseDoctor(await doctor()), 'trivy-server')).toBeUndefined();
  });

  test('the Java index where there is one', async () => {
    await mkdir(join(cacheDir, 'java-db'));
    await writeFile(join(cacheDir, 'java-db', 'trivy-java.db'), '');
    expect(checkOf(parseDoctor(await doctor()), 'java-index')?.found).toContain(cacheDir);
  });

  test('a history with runs; a clock that is behind them', async () => {
    const history = newHistory();
    const clean = [
      'clean',
      '--runtime-endpoint',
      containerd.endpoint,
      '--scanner',
      'none',
      '--image',
      'nothing-here:1',
      '--yes',
      '--history',
      history,
    ];
    expect((await runCli(clean)).code).toBe(0);
    expect(checkOf(parseDoctor(await doctor({ '--history': history })), 'history')?.found).toMatch(
      /schema \d+, .* 1 run; the last, number 1, .*\(completed\)/,
    );
    await writeTrivyDatabase(cacheDir, { ...demoDatabase(), updatedAt: new Date('2099-01-01T00:00:00Z') });
    expect(checkOf(parseDoctor(await doctor()), 'clock')).toMatchObject({
      status: 'warning',
      found: expect.stringContaining('2099') as string,
    });
  });

  describe('the options of clean', () => {
    const check = async (...args: string[]): Promise<{ code: number | null; document: Document }> => {
      const result = await runCli(['doctor', '--runtime-endpoint', containerd.endpoint, '-o', 'json', ...args]);
      return { code: result.code, document: parseDoctor(result) };
    };
    const scanning = (): string[] => ['--trivy', trivy, '--trivy-cache-dir', cacheDir];
    const write = async (name: string, content: string): Promise<string> => {
      const path = join(folder, name);
      await writeFile(path, content);
      return path;
    };
    const CONFIG =
      'apiVersion: eraser.sh/v1alpha3\nkind: EraserConfig\ncomponents: {collector: {enabled: true}, scanner: {enabled: true}}\n';

    test('are all taken, by the same declaration', async () => {
      const options = async (command: string): Promise<string[]> =>
        [...(await runCli([command, '--help'])).stdout.matchAll(/^ {2}(?:-\w, )?(--[\w-]+)/gm)].map(([, name = '']) => name);
      expect(await options('doctor')).toEqual(await options('clean'));
    });

    test('a line for each that names something, and nothing is made or changed', async () => {
      const history = newHistory();
      const auditLog = join(folder, 'audit.jsonl');
      const seen = ['--history', history, '--audit-log', auditLog];
      await importImages(containerd, [buildImage({ refs: ['docker.io/library/goes:1'], layers: [{ files: { 'app/content': 'goes' } }] })]);
      const removed = await runCli(['clean', '--runtime-endpoint', containerd.endpoint, '--image', 'goes:1', '--yes', ...seen]);
      expect(removed.code, removed.stderr).toBe(0);
      const before = await readFile(auditLog);
      const args = [
        ...['--config', await write('eraser.yaml', CONFIG), '--exclude', 'shop', '--min-age', '1h', '--disk-high', '1Mi', '--yes'],
        ...['--exclude-file', await write('keep.json', '{"excluded": ["docker.io/library/web:1.0"]}'), '--schedule', '24h'],
        ...['--ignorefile', await write('ignore.yaml', 'vulnerabilities: [{id: CVE-2026-10001}]\n')],
      ];
      const { code, document } = await check(...scanning(), ...args, ...seen);
      const found = (id: string): string => checkOf(document, id)?.found ?? '';
      expect({ code, ...statuses(document) }).toMatchObject({
        ...{ code: 0, ...WELL, configuration: 'ok', exclusions: 'ok', ignorefile: 'ok' },
        ...{ ages: 'ok', 'disk-limits': 'ok', schedule: 'ok', 'audit-log': 'ok', 'history-integrity': 'ok' },
      });
      expect(found('exclusions')).toMatch(/^They keep [2-9] of \d+ images/);
      expect(found('audit-log')).toContain('1 line, each following');
      expect(found('disk-limits')).toMatch(/^Above 1\.0 MiB in use on .+: the next run would free/);
      expect(found('ages')).toMatch(/^The history knows [1-9]\d* of \d+ images/);
      expect(await readFile(auditLog)).toEqual(before);
      const absent = join(folder, 'absent.jsonl');
      expect(checkOf((await check(...scanning(), '--audit-log', absent)).document, 'audit-log')).toMatchObject({ status: 'ok' });
      await expect(stat(absent)).rejects.toThrow('ENOENT');
    });

    test('what clean would be refused for is a problem, and all of it is told', async () => {
      const auditLog = await write('audit.jsonl', '{"previous":null,"a":1}\n{"previous":"of another line","a":2}\n');
      const { code, document } = await check(
        ...scanning(),
        ...['--config', await write('eraser.yaml', `${CONFIG}manager: {schedulling: {}}\n`)],
        ...['--exclude-file', await write('keep.json', '{"excluded": ["UPPER/case"]}')],
        ...['--ignorefile', await write('ignore.yaml', 'vulnerabilities: [{id: CVE-2026-1, paths: [a]}]\n')],
        ...['--audit-log', auditLog, '--schedule', '24h'],
      );
      const found = ['configuration', 'exclusions', 'ignorefile', 'audit-log', 'schedule'].map((id) => checkOf(document, id));
      expect(found).toEqual(
        [/schedulling: unknown/, /UPPER\/case/, /paths/, /line 2: it does not follow/, /--schedule needs --yes/].map((message): unknown =>
          expect.objectContaining({
            status: 'problem',
            found: expect.stringMatching(message) as string,
            advice: expect.stringMatching(/\.$/) as string,
          }),
        ),
      );
      expect(code).toBe(1);
    });

    test.each(['a folder', 'a link', 'a folder that is not there'])('an audit log that is %s', async (what) => {
      const path = join(folder, what === 'a folder that is not there' ? 'absent/audit.jsonl' : 'audit.jsonl');
      if (what === 'a folder') await mkdir(path);
      if (what === 'a link') await symlink('/dev/null', path);
      const { code, document } = await check(...scanning(), '--audit-log', path);
      expect([code, checkOf(document, 'audit-log')?.status]).toEqual([1, 'problem']);
    });

    test('a collector that is switched off, and a scanner of another make', async () => {
      const off = await write('off.yaml', CONFIG.replace('{enabled: true}', '{enabled: false}'));
      const custom = await write('custom.yaml', CONFIG.replace('scanner: {', 'scanner: {image: {repo: ghcr.io/acme/scanner}, '));
      for (const [config, message] of [
        [off, /automatic cleaning off/],
        [custom, /cannot run here/],
      ] as const) {
        const { code, document } = await check(...scanning(), '--config', config);
        expect(checkOf(document, 'configuration')).toMatchObject({ status: 'problem', found: expect.stringMatching(message) as string });
        expect(code).toBe(1);
      }
    });

    test.each([
      ['--scanner none', ['--scanner', 'none']],
      ['--image', ['--image', 'shop:2.1']],
    ])('with %s no Trivy is needed, and none is called', async (_what, args) => {
      // There is none in PATH.
      const scan = await check();
      expect([scan.code, checkOf(scan.document, 'trivy')?.status]).toEqual([1, 'problem']);
      const { code, document } = await check(...args);
      expect(code).toBe(0);
      for (const id of ['trivy', 'vulnerability-database', 'java-index', 'temporary-folder', 'memory'])
        expect(checkOf(document, id)).toMatchObject({ status: 'skipped', found: expect.stringMatching(/^Not needed: /) as string });
    });

    test('a damaged history', async () => {
      const history = newHistory();
      for (let run = 0; run < 2; run += 1) {
        const clean = ['clean', '--runtime-endpoint', containerd.endpoint, '--image', 'absent:1', '--yes'];
        expect(await runCli([...clean, '--history', history])).toMatchObject({ code: 0 });
      }
      expect(checkOf((await check(...scanning(), '--history', history)).document, 'history-integrity')).toMatchObject({ status: 'ok' });
      // The last page: opening the file reads none of it.
      const content = await readFile(history);
      content.fill(0xa5, content.length - 4096);
      await writeFile(history, content);
      const { code, document } = await check(...scanning(), '--history', history);
      expect(checkOf(document, 'history-integrity')).toMatchObject({
        status: 'problem',
        found: expect.stringContaining(`${history} is damaged`) as string,
        advice: expect.stringContaining('move') as string,
      });
      expect(code).toBe(1);
    });
  });

  test('little memory for scans', async () => {
    const document = parseDoctor(await doctor({ '--scan-memory': '100Mi' }));
    expect(checkOf(document, 'memory')).toMatchObject({
      status: 'warning',
      found: expect.stringContaining('100.0 MiB of it for scans') as string,
    });
  });

  test('a kubelet that runs here and removes images for their age', async () => {
    const config = join(folder, 'kubelet.yaml');
    await writeFile(config, 'kind: KubeletConfiguration\nimageMaximumGCAge: 168h\n');
    // Looks like one in /proc, and ends with its standard input.
    const kubelet = spawn('/bin/sh', ['-c', 'read line', `--config=${config}`], { argv0: 'kubelet', stdio: ['pipe', 'ignore', 'ignore'] });
    const document = parseDoctor(await doctor());
    kubelet.stdin.end();
    const found = expect.stringMatching(`kubelet \\(process ${String(kubelet.pid)}\\), ${config}.*unused for 7d`) as string;
    expect(checkOf(document, 'kubelet')).toMatchObject({ status: 'warning', found });
  });

  test('a worker of Eraser that runs here', async () => {
    const pod = { name: 'eraser-node-1-x7k2p', namespace: 'eraser-system' };
    const { sandbox } = await runningContainer(containerd, { image: 'docker.io/library/shop:2.1', name: 'collector', pod });
    const document = parseDoctor(await doctor().finally(() => removeSandbox(containerd, sandbox)));
    expect(checkOf(document, 'eraser')).toMatchObject({ status: 'warning', found: expect.stringContaining(pod.name) as string });
  });

  test('images that are not whole', async () => {
    const { all } = await demoImages();
    const [first] = all;
    if (first === undefined) throw new Error('the demo has no images');
    for (const { digest } of first.layers) await deleteLayerContent(containerd, digest);
    expect(checkOf(parseDoctor(await doctor()), 'containerd-services')).toMatchObject({
      status: 'warning',
      found: expect.stringContaining('not whole') as string,
    });
  });
});
