import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, readdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer, request as httpRequest, type RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startContainerd, type PrivateContainerd } from '../../lab/containerd.ts';
import { buildImage, buildLayer, deleteLayerContent, importImages, type Image, type Layer } from '../../lab/images.ts';
import { commandLine, isAlive, listPids } from '../../lab/processes.ts';
import { lacksRealPart } from '../../lab/real-parts.ts';
import { alpineFiles, debianFiles, npmFiles } from '../../lab/sample-packages.ts';
import { ensureTrivy } from '../../lab/tools.ts';
import { declareTrivyDatabase, writeTrivyDatabase, type DeclaredVulnerability } from '../../lab/trivy-database.ts';
import { waitUntil } from '../../lab/wait-until.ts';
import type { ImageAnalysis, ScanAttempt, ScanReport } from '../../src/api/scan-report.ts';
import type { Scanner, ScanTarget } from '../../src/engine/ports.ts';
import type { TrivyOptions, TrivyServerSource } from '../../src/scan/trivy-options.ts';
import { createTrivyScanner } from '../../src/scan/trivy-scanner.ts';
import { TEST_AUTHORITY, TEST_CERTIFICATE, TEST_CERTIFICATE_KEY } from '../fakes/test-certificates.ts';

const signal = new AbortController().signal;

/** `number`: what tells the vulnerabilities of one database from those of another. */
const declared = (number: number): readonly DeclaredVulnerability[] => [
  { ecosystem: 'alpine', release: '3.22', packageName: 'openssl', id: `CVE-2026-${number}1`, severity: 'HIGH', fixedVersion: '3.5.1-r0' },
  { ecosystem: 'debian', release: '12', packageName: 'zlib', id: `CVE-2026-${number}2`, severity: 'LOW', fixedVersion: '1:1.2.13-1' },
  {
    ecosystem: 'debian',
    release: '12',
    packageName: 'zlib',
    id: `CVE-2026-${number}3`,
    severity: 'CRITICAL',
    fixedVersion: null,
    status: 'will_not_fix',
  },
  { ecosystem: 'npm', packageName: 'lodash', id: `CVE-2026-${number}4`, severity: 'MEDIUM', fixedVersion: '4.17.21' },
  { ecosystem: 'npm', packageName: 'lodash', id: `CVE-2026-${number}5`, severity: 'UNKNOWN', fixedVersion: null },
];

const openssl3 = { ecosystem: 'alpine', release: '3.22', packageName: 'openssl', severity: 'HIGH', fixedVersion: '3.5.1-r0' } as const;

const openssl = buildLayer({ files: alpineFiles('3.22.0', [{ name: 'openssl', version: '3.5.0-r0' }]), gzip: true });
const lodash = buildLayer({ files: npmFiles([{ name: 'lodash', version: '4.17.20' }]), gzip: true });
const image = (name: string, layers: readonly Layer[]): Image =>
  buildImage({ refs: [`docker.io/library/${name}:1`], layers: [...layers], config: { labels: { name } } });
const images = {
  alpine: image('alpine', [openssl]),
  debian: image('debian', [buildLayer({ files: debianFiles('12.5', [{ name: 'zlib', version: '1:1.2.12-1' }]) })]),
  npm: image('npm', [lodash]),
  layered: image('layered', [openssl, buildLayer({ files: { 'app/app': 'x' } }), lodash]),
  retired: image('retired', [buildLayer({ files: alpineFiles('3.15.0', [{ name: 'musl', version: '1' }]) })]),
  scratch: image('scratch', [buildLayer({ files: { app: 'x' } })]),
};
const targetOf = ({ id, refs }: Image): ScanTarget => ({ imageId: id, repoTags: refs, repoDigests: [] });

describe.skipIf(lacksRealPart('trivy') || lacksRealPart('containerd-v2'))('Trivy as a client of its server', () => {
  let containerd: PrivateContainerd;
  let trivy: string;
  let directory: string;
  let tmpDir: string;
  let cacheDir: string;
  let otherCacheDir: string;
  const opened: Scanner[] = [];

  beforeAll(async () => {
    const tool = await ensureTrivy();
    if (tool.kind === 'missing') throw new Error(tool.reason);
    directory = await mkdtemp(join(tmpdir(), 'trivy-server-test-'));
    trivy = join(directory, 'trivy');
    // Each call of the binary is on record.
    await writeFile(trivy, `#!/bin/sh\necho "$1" >>'${directory}/calls'\nexec '${tool.path}' "$@"\n`, { mode: 0o755 });
    tmpDir = join(directory, 'tmp');
    cacheDir = join(directory, 'cache');
    otherCacheDir = join(directory, 'other-cache');
    await writeTrivyDatabase(cacheDir, declareTrivyDatabase(declared(1), new Date('2026-01-01T00:00:00Z')));
    await writeTrivyDatabase(otherCacheDir, declareTrivyDatabase(declared(2), new Date('2026-01-02T00:00:00Z')));
    containerd = await startContainerd({ version: 'v2' });
    await importImages(containerd, Object.values(images));
  });

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((scanner) => scanner.close()));
    expect(processes()).toEqual([]);
    expect(await readdir(tmpDir).catch(() => [])).toEqual([]);
    await rm(join(directory, 'calls'), { force: true });
  });

  afterAll(async () => {
    await containerd.stop();
    await rm(directory, { recursive: true });
  });

  const scannerOptions = (options: Partial<TrivyOptions> = {}): TrivyOptions => ({
    binary: trivy,
    images: { kind: 'containerd', address: containerd.endpoint },
    database: { kind: 'as-is' },
    cacheDir,
    tmpDir,
    memoryLimitBytes: 256 * 1024 * 1024,
    env: process.env,
    now: Date.now,
    graceMs: 1_000,
    ...options,
  });
  const createScanner = (options: Partial<TrivyOptions> = {}): Scanner => {
    const scanner = createTrivyScanner(scannerOptions(options));
    opened.push(scanner);
    return scanner;
  };
  const processes = (): number[] => listPids().filter((pid) => commandLine(pid).some((text) => text.includes(directory)));
  const serverProcess = (): number => {
    const [pid] = processes().filter((candidate) => commandLine(candidate)[1] === 'server');
    if (pid === undefined) throw new Error('no server runs');
    return pid;
  };
  const calls = async (): Promise<string[]> => (await readFile(join(directory, 'calls'), 'utf8')).trim().split('\n');
  const scanned = async (scanner: Scanner, { id, ...rest }: Image): Promise<{ report: ScanReport; analysis: ImageAnalysis }> => {
    const attempt = await scanner.scan(targetOf({ id, ...rest }), signal);
    if (attempt.kind !== 'scanned' || attempt.analysis === null) throw new Error(JSON.stringify(attempt));
    return { report: attempt.report, analysis: attempt.analysis };
  };
  const copyOfCache = async (): Promise<string> => {
    const copy = await mkdtemp(join(directory, 'cache-'));
    await cp(cacheDir, copy, { recursive: true });
    return copy;
  };

  describe('evaluate', () => {
    test('comes to the same as the scan', async () => {
      const scanner = createScanner();
      const all: { report: ScanReport; analysis: ImageAnalysis }[] = [];
      for (const each of Object.values(images)) all.push(await scanned(scanner, each));
      expect(all.map(({ report }) => report.findings.length)).toEqual([1, 2, 2, 3, 0, 0]);
      expect(all[4]?.report.os).toEqual({ family: 'alpine', name: '3.15.0', endOfLife: true });
      // In a server that knows nothing yet.
      await scanner.close();
      const analyses = all.map(({ analysis }) => analysis);
      expect(await scanner.evaluate(analyses, signal)).toEqual(all.map(({ report }) => report));
    });

    test('judges by another database as a scan would, and reads no image', async () => {
      const scanner = createScanner();
      const analyses: ImageAnalysis[] = [];
      for (const each of Object.values(images)) analyses.push((await scanned(scanner, each)).analysis);
      await rm(join(directory, 'calls'));
      const other = createScanner({ cacheDir: otherCacheDir });
      const evaluated = await other.evaluate(analyses, signal);
      expect(await calls()).toEqual(['version', 'server']);
      expect(evaluated.map((report) => report?.findings.map(({ id }) => id))).toEqual([
        ['CVE-2026-21'],
        ['CVE-2026-22', 'CVE-2026-23'],
        ['CVE-2026-24', 'CVE-2026-25'],
        ['CVE-2026-24', 'CVE-2026-25', 'CVE-2026-21'],
        [],
        [],
      ]);
      expect(evaluated[0]?.scanner.databaseUpdatedAt).toBe('2026-01-02T00:00:00.000Z');
      for (const [index, each] of Object.values(images).entries()) {
        expect(evaluated[index]).toEqual((await scanned(other, each)).report);
      }
    });

    test('leaves out what it cannot use', async () => {
      const scanner = createScanner();
      const { analysis, report } = await scanned(scanner, images.layered);
      const flipped = (bytes: Uint8Array): Uint8Array => bytes.map((byte, index) => (index === bytes.length - 1 ? byte ^ 1 : byte));
      const [part, ...others] = analysis.parts;
      if (part === undefined) throw new Error('no part');
      const unusable: ImageAnalysis[] = [
        { ...analysis, scannerVersion: '0.73.0' },
        { ...analysis, scannerName: 'grype' },
        { ...analysis, imageId: images.alpine.id },
        { ...analysis, recipe: new Uint8Array() },
        { ...analysis, recipe: flipped(analysis.recipe) },
        { ...analysis, parts: others },
        { ...analysis, parts: [{ ...part, data: flipped(part.data) }, ...others] },
        { ...analysis, parts: [{ ...part, data: new Uint8Array() }, ...others] },
        { ...analysis, parts: [{ ...part, data: others[0]?.data ?? part.data }, ...others] },
      ];
      for (const each of unusable) {
        await scanner.close();
        expect(await scanner.evaluate([each], signal)).toEqual([null]);
      }
      expect(await scanner.evaluate([...unusable.slice(0, 5), analysis], signal)).toEqual([null, null, null, null, null, report]);
    });

    test('starts nothing for nothing', async () => {
      expect(await createScanner().evaluate([], signal)).toEqual([]);
      await expect(calls()).rejects.toMatchObject({ code: 'ENOENT' });
    });
  });

  describe('shared layers', () => {
    test('are part of each analysis, whoever read them', async () => {
      const scanner = createScanner();
      const alone = await scanned(scanner, images.alpine);
      const shared = await scanned(scanner, images.layered);
      expect(shared.analysis.parts).toHaveLength(3);
      expect(shared.analysis.parts[0]).toEqual(alone.analysis.parts[0]);
      const again = await scanned(scanner, images.layered);
      expect(again.analysis.parts).toEqual(shared.analysis.parts);
      expect(again.report).toEqual(shared.report);
    });

    test('that are known from earlier are not read again', async () => {
      const base = buildLayer({ files: { ...alpineFiles('3.22.0', [{ name: 'openssl', version: '3.5.0-r0' }]), base: 'x' }, gzip: true });
      const known = new Map<string, Uint8Array>();
      const target = image('known', [base, lodash]);
      await importImages(containerd, [target]);
      const first = await scanned(createScanner(), target);
      for (const { key, data } of first.analysis.parts) known.set(key, data);
      const asked: string[] = [];
      const readPart: TrivyOptions['readPart'] = (key, { version }) => {
        asked.push(version);
        return Promise.resolve(known.get(key) ?? null);
      };
      // Nobody can read it any more.
      await deleteLayerContent(containerd, base.digest);
      expect(await createScanner().scan(targetOf(target), signal)).toMatchObject({ kind: 'unscanned', reason: 'content-missing' });
      const second = await scanned(createScanner({ readPart }), target);
      expect(second.report).toEqual(first.report);
      expect(second.analysis.parts).toEqual(first.analysis.parts);
      expect(asked).toEqual([first.report.scanner.version, first.report.scanner.version]);
      // A garbled one is as good as none.
      for (const [key, data] of known) known.set(key, data.subarray(1));
      expect(await createScanner({ readPart }).scan(targetOf(target), signal)).toMatchObject({ reason: 'content-missing' });
    });
  });

  describe('the server in the middle of a scan', () => {
    /** Has the scan wait for containerd, until the act is done. */
    const inTheMiddle = async (scanner: Scanner, act: () => Promise<void>): Promise<ScanAttempt> => {
      await scanner.evaluate([(await scanned(scanner, images.alpine)).analysis], signal);
      containerd.pause();
      let attempt: Promise<ScanAttempt>;
      try {
        attempt = scanner.scan(targetOf(images.debian), signal);
        attempt.catch(() => undefined);
        await waitUntil('the scan runs', () => Promise.resolve(processes().some((pid) => commandLine(pid)[1] === 'image')));
        await act();
      } finally {
        containerd.resume();
      }
      return await attempt;
    };

    test('killed: a fault, and the next scan has a new one', async () => {
      const scanner = createScanner();
      const middle = inTheMiddle(scanner, async () => {
        const pid = serverProcess();
        process.kill(pid, 'SIGKILL');
        await waitUntil('the server is gone', () => Promise.resolve(!isAlive(pid)));
      });
      await expect(middle).rejects.toMatchObject({
        name: 'ScannerFault',
        code: 'crashed',
        message: expect.stringContaining('SIGKILL') as string,
      });
      expect(processes()).toEqual([]);
      expect((await scanned(scanner, images.alpine)).report.findings).toHaveLength(1);
    });

    test('killed between two scans: the next scan has a new one', async () => {
      const scanner = createScanner();
      const { analysis, report } = await scanned(scanner, images.alpine);
      const pid = serverProcess();
      process.kill(pid, 'SIGKILL');
      await waitUntil('the end of the server is known', () => Promise.resolve(!existsSync(`/proc/${pid}`)));
      expect(await scanner.evaluate([analysis], signal)).toEqual([report]);
    });

    test('hanging: a fault, and it is killed', async () => {
      const scanner = createScanner({ rpcTimeoutMs: 1_000 });
      const middle = inTheMiddle(scanner, () => Promise.resolve(void process.kill(serverProcess(), 'SIGSTOP')));
      await expect(middle).rejects.toMatchObject({ name: 'ScannerFault', code: 'timeout' });
      expect(processes()).toEqual([]);
    });

    test.each([
      [
        'swapped',
        async (db: string) => {
          await writeFile(`${db}.new`, '');
          await rename(`${db}.new`, db);
        },
      ],
      ['cut short', async (db: string) => await truncate(db, 4_096)],
      ['turned to garbage', async (db: string) => await writeFile(db, Buffer.alloc((await stat(db)).size, 'garbage '))],
      ['written anew in its place', async (db: string) => await writeFile(db, await readFile(join(otherCacheDir, 'db', 'trivy.db')))],
    ])('its database %s: a fault, in scans and evaluations', async (_, change) => {
      const passing = [await copyOfCache(), await copyOfCache()];
      const [scanning, evaluating] = passing.map((folder) => createScanner({ cacheDir: folder }));
      const [scanDatabase = '', evaluationDatabase = ''] = passing.map((folder) => join(folder, 'db', 'trivy.db'));
      if (scanning === undefined || evaluating === undefined) throw new Error('no scanner');
      const fault = { code: 'database-changed', action: 'retry' };
      await expect(inTheMiddle(scanning, () => change(scanDatabase))).rejects.toMatchObject(fault);
      const { analysis } = await scanned(evaluating, images.alpine);
      await change(evaluationDatabase);
      await expect(evaluating.evaluate([analysis], signal)).rejects.toMatchObject(fault);
    });

    test('its database turned to garbage under many evaluations at once: a fault, long before a call is given up', async () => {
      const passing = await copyOfCache();
      const scanner = createScanner({ cacheDir: passing });
      const { analysis } = await scanned(scanner, images.alpine);
      const db = join(passing, 'db', 'trivy.db');
      await writeFile(db, Buffer.alloc((await stat(db)).size, 'garbage '));
      const started = performance.now();
      const judged = scanner.evaluate(new Array<ImageAnalysis>(100).fill(analysis), signal);
      await expect(judged).rejects.toMatchObject({ code: 'database-changed' });
      // A server that panicked holds a lock of its database: what else it is asked has no answer in the minute that a call may take.
      expect(performance.now() - started).toBeLessThan(20_000);
    });

    test('its database turned to garbage under many scans at once: a fault, long before a call is given up', async () => {
      const passing = await copyOfCache();
      const scanner = createScanner({ cacheDir: passing });
      await scanned(scanner, images.alpine);
      const db = join(passing, 'db', 'trivy.db');
      await writeFile(db, Buffer.alloc((await stat(db)).size, 'garbage '));
      const started = performance.now();
      const attempts = await Promise.allSettled(Object.values(images).map((each) => scanner.scan(targetOf(each), signal)));
      const changed = { status: 'rejected', reason: expect.objectContaining({ code: 'database-changed' }) as unknown };
      expect(attempts).toContainEqual(changed);
      // The end of the server is all that some learn.
      const others = attempts.filter(({ status }) => status === 'fulfilled');
      expect(others).toEqual(others.map(() => ({ status: 'fulfilled', value: expect.objectContaining({ kind: 'unscanned' }) as unknown })));
      expect(performance.now() - started).toBeLessThan(20_000);
    });

    test('its database updated: the new one judges after a new probe alone', async () => {
      const passing = await copyOfCache();
      const scanner = createScanner({ cacheDir: passing });
      await scanner.probe(signal);
      const { analysis, report } = await scanned(scanner, images.alpine);
      expect(report.findings.map(({ id }) => id)).toEqual(['CVE-2026-11']);
      await rm(join(passing, 'db'), { recursive: true });
      await cp(join(otherCacheDir, 'db'), join(passing, 'db'), { recursive: true });
      await expect(scanner.evaluate([analysis], signal)).rejects.toMatchObject({ code: 'database-changed' });
      expect(await scanner.probe(signal)).toMatchObject({ databaseUpdatedAt: '2026-01-02T00:00:00.000Z' });
      expect((await scanner.evaluate([analysis], signal))[0]?.findings.map(({ id }) => id)).toEqual(['CVE-2026-21']);
    });

    test.each([
      [
        'that holds garbage about a package',
        (file: Buffer) => file.write('"FixedVersion":"3.5.1-r0}', file.indexOf('"FixedVersion":"3.5.1-r0"')),
      ],
      // The package's bucket, which nothing but a look-up comes to: on the first page after the free list.
      ['that lacks a page', (file: Buffer) => file.fill(0, 3 * 4_096, 4 * 4_096)],
    ])('a database %s is damaged, not the image', async (_, damage) => {
      const damaged = await mkdtemp(join(directory, 'cache-'));
      const many = Array.from({ length: 100 }, (_, index) => ({ ...openssl3, id: `CVE-2026-9${index}` }));
      await writeTrivyDatabase(damaged, declareTrivyDatabase(many, new Date(0)));
      const { analysis } = await scanned(createScanner({ cacheDir: damaged }), images.alpine);
      const path = join(damaged, 'db', 'trivy.db');
      const file = await readFile(path);
      damage(file);
      await writeFile(path, file);
      const fault = { name: 'ScannerFault', code: 'bad-database' };
      await expect(createScanner({ cacheDir: damaged }).scan(targetOf(images.alpine), signal)).rejects.toMatchObject(fault);
      await expect(createScanner({ cacheDir: damaged }).evaluate([analysis], signal)).rejects.toMatchObject(fault);
    });
  });

  describe('the end of this process', () => {
    /** Runs a script with a scanner that has a server; `then` is what it does with it. */
    const start = (then: string): ChildProcess => {
      const options = { ...scannerOptions(), env: {} };
      const script = `
        const { createTrivyScanner } = await import(${JSON.stringify(join(import.meta.dirname, '../../src/scan/trivy-scanner.ts'))});
        const scanner = createTrivyScanner({ ...${JSON.stringify(options)}, now: Date.now });
        const signal = new AbortController().signal;
        await scanner.scan(${JSON.stringify(targetOf(images.alpine))}, signal);
        ${then}
      `;
      return spawn(process.execPath, ['--input-type=module', '--eval', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    };
    const noServer = (): Promise<void> =>
      waitUntil('no server runs', () => Promise.resolve(processes().every((pid) => commandLine(pid)[1] !== 'server')));

    test('comes of itself where the scanner was forgotten, and ends the server', async () => {
      expect(await once(start(''), 'exit')).toEqual([0, null]);
      await noServer();
      await createScanner().probe(signal);
    });

    test('at once ends a server that heeds no SIGTERM', async () => {
      const child = start(`process.on('SIGINT', () => process.exit(130)); setInterval(() => {}, 1000); console.log('ready');`);
      await once(child.stdout ?? child, 'data');
      process.kill(serverProcess(), 'SIGSTOP');
      const ended = once(child, 'exit');
      child.kill('SIGINT');
      expect(await ended).toEqual([130, null]);
      await noServer();
      await createScanner().probe(signal);
    });

    test('by SIGKILL leaves a server that the next run ends', async () => {
      const child = start(`setInterval(() => {}, 1000); console.log('ready');`);
      await once(child.stdout ?? child, 'data');
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
      expect(isAlive(serverProcess())).toBe(true);
      await createScanner().probe(signal);
      await noServer();
    });
  });

  describe("the user's server", () => {
    const TOKEN = 'a-token-that-nobody-shall-see';
    let server: ChildProcess;
    let serverUrl: string;
    let serverCache: string;

    beforeAll(async () => {
      // Apart, so that it is none of the processes of the scanner.
      serverCache = await mkdtemp(join(tmpdir(), 'users-trivy-'));
      await cp(cacheDir, serverCache, { recursive: true });
      // On a port that was free a moment ago.
      const probe = createHttpServer().listen(0, '127.0.0.1');
      await once(probe, 'listening');
      const { port } = probe.address() as AddressInfo;
      probe.close();
      const tool = await ensureTrivy();
      const args = ['server', '--listen', `127.0.0.1:${port}`, '--cache-dir', serverCache, '--cache-backend', 'memory', '--skip-db-update'];
      const env = { PATH: '/usr/bin:/bin', HOME: tmpdir(), TRIVY_TOKEN: TOKEN };
      server = spawn(tool.kind === 'found' ? tool.path : '', args, { cwd: tmpdir(), env, stdio: 'ignore' });
      serverUrl = `http://127.0.0.1:${port}`;
      await waitUntil("the user's server answers", async () => (await fetch(`${serverUrl}/healthz`).catch(() => null))?.ok === true);
    });
    afterAll(async () => {
      const ended = once(server, 'exit');
      server.kill('SIGTERM');
      await ended;
      await rm(serverCache, { recursive: true });
    });

    const source = (other: Partial<TrivyServerSource> = {}): Partial<TrivyOptions> => ({
      database: { kind: 'server', url: serverUrl, token: TOKEN, ...other },
      cacheDir: join(directory, 'no-cache'),
    });

    /** A server on 127.0.0.1 while a test runs. */
    const withServer = async (listener: RequestListener, use: (url: string) => Promise<void>, tls = false): Promise<void> => {
      const front = tls ? createHttpsServer({ cert: TEST_CERTIFICATE, key: TEST_CERTIFICATE_KEY }, listener) : createHttpServer(listener);
      front.listen(0, '127.0.0.1');
      await once(front, 'listening');
      try {
        await use(`${tls ? 'https' : 'http'}://127.0.0.1:${(front.address() as AddressInfo).port}`);
      } finally {
        front.close();
        front.closeAllConnections();
      }
    };
    /** Passes all below a path on to the real server, as a gateway does. */
    const gateway =
      (prefix: string): RequestListener =>
      (request, response) => {
        const path = request.url?.startsWith(prefix) === true ? request.url.slice(prefix.length) : '/none';
        const inner = httpRequest(new URL(path, serverUrl), { method: request.method ?? 'GET', headers: request.headers }, (answer) => {
          response.writeHead(answer.statusCode ?? 502, answer.headers);
          answer.pipe(response);
        });
        request.pipe(inner);
      };

    test('judges scans and evaluations as our own does, without a database here', async () => {
      const own = createScanner();
      const theirs = createScanner(source());
      const [here, there] = [await own.probe(signal), await theirs.probe(signal)];
      // Neither tells which database the other has.
      expect(there).toEqual({ ...here, databaseMark: expect.stringMatching(`^server:${serverUrl}/ .*2026-01-01`) as string });
      expect(here.databaseMark).not.toContain('server');
      for (const each of Object.values(images)) {
        const { report, analysis } = await scanned(theirs, each);
        const ownReport = { ...report, scanner: here };
        expect(report.scanner).toEqual(there);
        expect((await scanned(own, each)).report).toEqual(ownReport);
        expect(await theirs.evaluate([analysis], signal)).toEqual([report]);
        expect(await own.evaluate([analysis], signal)).toEqual([ownReport]);
      }
    });

    test('over https with an authority of its own, below a path', async () => {
      await withServer(
        gateway('/trivy'),
        async (url) => {
          const scanner = createScanner(source({ url: `${url}/trivy`, ca: TEST_AUTHORITY }));
          expect((await scanned(scanner, images.alpine)).report.findings).toHaveLength(1);
          const unknown = createScanner(source({ url: `${url}/trivy` }));
          await expect(unknown.probe(signal)).rejects.toMatchObject({
            code: 'server-certificate',
            message: expect.stringContaining(url) as string,
          });
          const other = createScanner(source({ url: `${url}/trivy`.replace('127.0.0.1', '127.0.0.2'), ca: TEST_AUTHORITY }));
          await expect(other.probe(signal)).rejects.toMatchObject({
            code: expect.stringMatching(/^server-(?:certificate|unreachable)$/) as string,
          });
          const plain = createScanner(source({ url: url.replace('https', 'http') }));
          await expect(plain.probe(signal)).rejects.toMatchObject({ code: expect.stringMatching(/^server-/) as string });
        },
        true,
      );
    });

    test('through the proxy that the environment names', async () => {
      const asked: string[] = [];
      const forward: RequestListener = (request, response) => {
        asked.push(request.url ?? '');
        request.url = new URL(request.url ?? '').pathname;
        gateway('')(request, response);
      };
      await withServer(forward, async (proxy) => {
        const url = 'http://trivy.example:4954';
        const scanner = createScanner({ ...source({ url }), env: { ...process.env, HTTP_PROXY: proxy } });
        expect((await scanned(scanner, images.alpine)).report.findings).toHaveLength(1);
        expect(asked[0]).toBe(`${url}/version`);
        const direct = createScanner({ ...source(), env: { ...process.env, HTTP_PROXY: 'http://127.0.0.1:1', NO_PROXY: '' } });
        await direct.probe(signal);
        const none = createScanner({ ...source({ url }), env: { ...process.env, HTTP_PROXY: 'nonsense://' } });
        await expect(none.probe(signal)).rejects.toMatchObject({ name: 'ScannerFault' });
      });
    });

    test.each([{ token: 'another' }, {}])('that does not take the token %j', async ({ token }) => {
      const database = { kind: 'server', url: serverUrl, ...(token === undefined ? {} : { token }) } as const;
      const fault = createScanner({ ...source(), database }).probe(signal);
      await expect(fault).rejects.toMatchObject({ code: 'server-refused', message: expect.stringContaining(serverUrl) as string });
      await expect(fault).rejects.not.toMatchObject({ message: expect.stringContaining('another') as string });
    });

    const page = (status: number, headers: Record<string, string>, body: string): RequestListener => {
      return (request, response) => {
        request.resume();
        response.writeHead(status, headers).end(body);
      };
    };
    test.each([
      ['redirects', page(301, { location: 'https://elsewhere/' }, ''), 'server-bad-answer'],
      ['shows a page', page(200, { 'content-type': 'text/html' }, '<html>Log in</html>'), 'server-bad-answer'],
      ['knows no such page', page(404, { 'content-type': 'text/html' }, 'not found'), 'server-bad-answer'],
      ['asks for a login', page(401, { 'content-type': 'text/html' }, ''), 'server-bad-answer'],
      ['fails', page(502, { 'content-type': 'text/html' }, 'bad gateway'), 'server-failed'],
      ['breaks off', (request) => request.socket.destroy(), 'server-unreachable'],
      ['never answers', () => undefined, 'timeout'],
    ] as [string, RequestListener, string][])('in whose place something %s', async (_, listener, code) => {
      await withServer(listener, async (url) => {
        const scanner = createScanner({ ...source({ url }), rpcTimeoutMs: code === 'timeout' ? 300 : 20_000 });
        await expect(scanner.probe(signal)).rejects.toMatchObject({ code, message: expect.stringContaining(url) as string });
      });
    });

    test('that takes the token in a header of its own, and none where there is none', async () => {
      const seen: unknown[] = [];
      const listener: RequestListener = (request, response) => {
        if (request.method === 'POST') seen.push([request.headers['x-key'], request.headers['trivy-token']]);
        gateway('')(request, response);
      };
      await withServer(listener, async (url) => {
        await expect(createScanner(source({ url, tokenHeader: 'X-Key' })).probe(signal)).rejects.toMatchObject({ code: 'server-refused' });
        await expect(createScanner({ ...source(), database: { kind: 'server', url } }).probe(signal)).rejects.toMatchObject({
          code: 'server-refused',
        });
      });
      expect(seen).toEqual([
        [TOKEN, undefined],
        [undefined, undefined],
      ]);
    });

    test('that nobody answers for, and addresses that are none', async () => {
      const nobody = createScanner(source({ url: 'http://127.0.0.1:1' }));
      await expect(nobody.probe(signal)).rejects.toMatchObject({ code: 'server-unreachable', action: 'retry' });
      for (const url of ['trivy:4954', 'ftp://trivy/', 'http://user:secret@trivy/', '']) {
        const fault = createScanner(source({ url })).probe(signal);
        await expect(fault).rejects.toMatchObject({ code: 'server-address' });
        await expect(fault).rejects.not.toMatchObject({ message: expect.stringContaining('secret') as string });
      }
      const garbled = createScanner(source({ token: 'a\nb' }));
      await expect(garbled.probe(signal)).rejects.toMatchObject({ code: 'server-address' });
    });

    test('whose token is on no command line', async () => {
      const scanner = createScanner(source());
      await scanner.probe(signal);
      containerd.pause();
      const attempt = scanner.scan(targetOf(images.alpine), signal);
      try {
        await waitUntil('the scan runs', () => Promise.resolve(processes().some((pid) => commandLine(pid)[1] === 'image')));
        expect(listPids().filter((pid) => commandLine(pid).some((text) => text.includes(TOKEN)))).toEqual([]);
        const [pid = 0] = processes().filter((candidate) => commandLine(candidate)[1] === 'image');
        // The program that reads the images does not know it either.
        expect(await readFile(`/proc/${pid}/environ`, 'utf8')).not.toContain(TOKEN);
      } finally {
        containerd.resume();
      }
      expect(await attempt).toMatchObject({ kind: 'scanned' });
    });

    test('that fails in the middle is a fault', async () => {
      let isBroken = false;
      const real = gateway('');
      await withServer(
        (request, response) => {
          if (isBroken) request.socket.destroy();
          else real(request, response);
        },
        async (url) => {
          const scanner = createScanner(source({ url }));
          const { analysis } = await scanned(scanner, images.alpine);
          isBroken = true;
          await expect(scanner.scan(targetOf(images.alpine), signal)).rejects.toMatchObject({ code: 'server-unreachable' });
          await expect(scanner.evaluate([analysis], signal)).rejects.toMatchObject({ code: 'server-unreachable' });
        },
      );
    });

    test('that loads another database in the middle is a fault', async () => {
      const scanner = createScanner(source());
      const { analysis } = await scanned(scanner, images.alpine);
      const metadata = join(serverCache, 'db', 'metadata.json');
      const before = await readFile(metadata);
      await writeFile(metadata, before.toString().replace('2026-01-01', '2026-01-03'));
      try {
        await expect(scanner.evaluate([analysis], signal)).rejects.toMatchObject({ code: 'database-changed' });
        expect(await scanner.probe(signal)).toMatchObject({ databaseUpdatedAt: '2026-01-03T00:00:00.000Z' });
      } finally {
        await writeFile(metadata, before);
      }
    });
  });
});
