import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { declareTrivyDatabase, writeTrivyDatabase } from '../../lab/trivy-database.ts';
import { waitUntil } from '../../lab/wait-until.ts';
import type { Scanner } from '../engine/ports.ts';
import type { TrivyOptions } from './trivy-options.ts';
import { createTrivyScanner } from './trivy-scanner.ts';

const never = new AbortController().signal;
const imageId = `sha256:${'1'.repeat(64)}`;
const otherId = `sha256:${'2'.repeat(64)}`;
const report = (id: string): string => JSON.stringify({ SchemaVersion: 2, Metadata: { ImageID: id } });
const fatal = (message: string): string => `printf '2026-11-21T08:36:37Z\\tFATAL\\tFatal error\\t%s\\n' '${message}' >&2; exit 1`;
const notFound = fatal('run error: image scan error: x: 1 error occurred: * containerd error: image not found in containerd store: x');
const noJavaIndex = fatal(
  `run error: image scan error: scan error: scan failed: failed analysis: analyze error: pipeline error: failed to analyze layer (${imageId}): ` +
    'post analysis error: post analysis error: Unable to initialize the Java DB: x',
);

const SERVER = fileURLToPath(new URL('../../test/fakes/fake-trivy-server.ts', import.meta.url));

let directory: string;
let tmpDir: string;
const opened: Scanner[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'trivy-scanner-'));
  tmpDir = join(directory, 'tmp');
  const id = 'CVE-2026-1';
  await writeTrivyDatabase(
    join(directory, 'cache'),
    declareTrivyDatabase([{ ecosystem: 'alpine', release: '3.22', packageName: 'a', id, severity: 'LOW', fixedVersion: '1' }], new Date(0)),
  );
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((scanner) => scanner.close()));
  // Whatever happened: no process leaves a file behind.
  expect(await readdir(tmpDir).catch(() => [])).toEqual([]);
  await rm(directory, { recursive: true });
});

interface FakeTrivy {
  readonly version?: string;
  readonly sbom?: string;
  /** In place of a server that works. */
  readonly server?: string;
  /** Runs with the image's name as $name. */
  readonly image?: string;
  readonly download?: string;
}

/** A stand-in that is a real program: a shell script for each of Trivy's commands. Every call is written to `calls`. */
async function fakeTrivy(fake: FakeTrivy = {}, options: Partial<TrivyOptions> = {}): Promise<Scanner> {
  const script = `#!/bin/sh
for name in "$@"; do :; done
echo "$1 $name" >>'${join(directory, 'calls')}'
case "$*" in
  version*) ${fake.version ?? `echo '{"Version":"0.74.0"}'`} ;;
  server*) ${fake.server ?? `exec '${process.execPath}' '${SERVER}'`} ;;
  sbom*) ${fake.sbom ?? `echo '{"SchemaVersion":2}'`} ;;
  *download*) ${fake.download ?? 'exit 0'} ;;
  image*) ${fake.image ?? `echo '${report(imageId)}'`} ;;
esac
`;
  const binary = join(directory, 'trivy');
  await writeFile(binary, script, { mode: 0o755 });
  const scanner = createTrivyScanner({
    binary,
    images: { kind: 'containerd', address: '/run/x.sock' },
    database: { kind: 'as-is' },
    cacheDir: join(directory, 'cache'),
    tmpDir,
    memoryLimitBytes: null,
    env: { PATH: '/usr/bin:/bin' },
    now: () => 0,
    graceMs: 200,
    ...options,
  });
  opened.push(scanner);
  return scanner;
}

const calls = async (): Promise<string[]> => (await readFile(join(directory, 'calls'), 'utf8')).trim().split('\n');
const target = (names: { repoTags?: string[]; repoDigests?: string[] } = { repoTags: ['a:1'] }) => ({
  imageId,
  repoTags: names.repoTags ?? [],
  repoDigests: names.repoDigests ?? [],
});

describe('probe', () => {
  it('tells version and database', async () => {
    const scanner = await fakeTrivy();
    expect(await scanner.probe(never)).toEqual({
      name: 'trivy',
      version: '0.74.0',
      databaseUpdatedAt: '1970-01-01T00:00:00.000Z',
      databaseMark: expect.stringMatching(/^[0-9:]+ [0-9:]+$/) as string,
    });
  });

  it.each([
    ['hangs', { version: 'sleep 100' }, 'timeout'],
    ['is killed', { version: 'kill -KILL $$' }, 'crashed'],
    ['prints garbage', { version: 'echo hello' }, 'bad-output'],
    ['prints another JSON', { version: 'echo "{}"' }, 'bad-output'],
    ['prints without end', { version: 'yes garbage' }, 'bad-output'],
    ['prints nothing', { version: 'exit 0' }, 'bad-output'],
    ['fails', { version: 'echo oops >&2; exit 1' }, 'crashed'],
    ['does not know an option', { version: fatal('unknown flag: --disable-telemetry') }, 'unsupported-version'],
    ['has no room', { version: fatal('write /x: no space left on device') }, 'no-work-directory'],
  ])('finds that it %s', async (_, fake, code) => {
    // Long enough for a shell on a busy machine, where it does not hang.
    const scanner = await fakeTrivy(fake, { probeTimeoutMs: code === 'timeout' ? 500 : 30_000 });
    await expect(scanner.probe(never)).rejects.toMatchObject({ name: 'ScannerFault', code });
  });

  it('finds that it is missing, and that it cannot be executed', async () => {
    const missing = await fakeTrivy({}, { binary: join(directory, 'none') });
    await expect(missing.probe(never)).rejects.toMatchObject({ code: 'not-found', hint: expect.stringContaining('Install') as string });
    const folder = await fakeTrivy({}, { binary: directory });
    await expect(folder.probe(never)).rejects.toMatchObject({ code: 'not-executable' });
  });

  it('finds that there is no database, or no folder to work in', async () => {
    const blank = await fakeTrivy({}, { cacheDir: join(directory, 'none') });
    await expect(blank.probe(never)).rejects.toMatchObject({ code: 'no-database' });
    const homeless = await fakeTrivy({}, { tmpDir: join(directory, 'trivy') });
    await expect(homeless.probe(never)).rejects.toMatchObject({ code: 'no-work-directory' });
  });

  it('downloads the database first where that is allowed, and tells that this failed', async () => {
    const options = { database: { kind: 'download' }, now: () => Date.parse('3000-01-01') } as const;
    await (await fakeTrivy({}, options)).probe(never);
    expect((await calls()).map((call) => call.split(' ')[0])).toEqual(['version', 'image']);
    const failing = await fakeTrivy({ download: fatal('run error: init error: DB error: manifest unknown') }, options);
    await expect(failing.probe(never)).rejects.toMatchObject({ code: 'download-failed', action: 'retry' });
  });

  it('marks the database: as long as nothing changes alike, and another one otherwise, whatever its metadata say', async () => {
    const { databaseMark } = await (await fakeTrivy()).probe(never);
    expect(await (await fakeTrivy()).probe(never)).toMatchObject({ databaseMark });
    const db = join(directory, 'cache', 'db', 'trivy.db');
    const { atime, mtime } = await stat(db);
    // In its place, of the same size and the same time.
    await writeFile(db, await readFile(db));
    await utimes(db, atime, mtime);
    const info = await (await fakeTrivy()).probe(never);
    expect(info).toMatchObject({ databaseUpdatedAt: '1970-01-01T00:00:00.000Z' });
    expect(info.databaseMark).not.toBe(databaseMark);
  });

  it('starts nothing where the version of the binary is known and no update is due', async () => {
    const versions = new Map<string, string>();
    const versionMemory = {
      read: (identity: string) => Promise.resolve(versions.get(identity) ?? null),
      write: (identity: string, version: string) => Promise.resolve(void versions.set(identity, version)),
    };
    const options = { versionMemory, database: { kind: 'download' } } as const;
    const info = await (await fakeTrivy({}, options)).probe(never);
    expect(await (await fakeTrivy({}, options)).probe(never)).toEqual(info);
    // The same file again has another time.
    expect(await calls()).toHaveLength(2);
    const again = await fakeTrivy({}, options);
    await again.probe(never);
    await again.probe(never);
    expect(await calls()).toHaveLength(3);
  });

  it('rejects with the reason of the abort', async () => {
    const reason = new Error('over');
    const controller = new AbortController();
    setTimeout(() => {
      controller.abort(reason);
    }, 100);
    await expect((await fakeTrivy({ version: 'sleep 100' })).probe(controller.signal)).rejects.toBe(reason);
  });
});

describe('the server', () => {
  it.each([
    ['is killed', 'kill -SEGV $$', 'crashed'],
    ['ends', 'exit 0', 'crashed'],
    ['hangs', 'sleep 100', 'timeout'],
    ['cannot open the database', fatal('error in vulnerability DB initialize: failed to open db: invalid database'), 'bad-database'],
    ['does not know an option', fatal('unknown flag: --cache-backend'), 'unsupported-version'],
    ['ignores SIGTERM', 'trap "" TERM; while :; do sleep 0.05; done', 'timeout'],
  ])('is a fault where it %s at its start, and nothing of it is left', async (_, server, code) => {
    const scanner = await fakeTrivy({ server }, { probeTimeoutMs: code === 'timeout' ? 500 : 30_000 });
    await scanner.probe(never);
    await expect(scanner.scan(target(), never)).rejects.toMatchObject({ name: 'ScannerFault', code });
    expect(await readdir(tmpDir)).toEqual([]);
  });

  it('is not waited for by a scan whose time is up', async () => {
    const scanner = await fakeTrivy({ server: 'sleep 100' });
    await expect(scanner.scan(target(), AbortSignal.timeout(200))).rejects.toMatchObject({ name: 'TimeoutError' });
  });

  it('is started when it is first needed, once, and again after the scanner was closed', async () => {
    const scanner = await fakeTrivy();
    await scanner.probe(never);
    expect((await calls()).filter((call) => call.startsWith('server'))).toHaveLength(0);
    await Promise.all([scanner.scan(target(), never), scanner.scan(target(), never)]);
    expect((await calls()).filter((call) => call.startsWith('server'))).toHaveLength(1);
    await scanner.close();
    expect(await scanner.scan(target(), never)).toMatchObject({ kind: 'scanned' });
    expect((await calls()).filter((call) => call.startsWith('server'))).toHaveLength(2);
  });

  it('is not started where the database is another one than the probe named', async () => {
    const scanner = await fakeTrivy();
    await scanner.probe(never);
    await writeFile(join(directory, 'cache', 'db', 'metadata.json'), '{"Version":2,"UpdatedAt":"2026-01-01T00:00:00Z"}');
    await expect(scanner.scan(target(), never)).rejects.toMatchObject({ code: 'database-changed', action: 'retry' });
    expect((await calls()).filter((call) => call.startsWith('server'))).toHaveLength(0);
  });

  it.each([
    ['replaced', `mv 'DB/metadata.json' 'DB/old'; cp 'DB/old' 'DB/metadata.json'`],
    ['written to', `echo >>'DB/trivy.db'`],
    ['cut short', `: >'DB/trivy.db'`],
  ])('judges in vain where the database is %s meanwhile', async (_, change) => {
    const image = `${change.replaceAll('DB', join(directory, 'cache', 'db'))}; echo '${report(imageId)}'`;
    await expect((await fakeTrivy({ image })).scan(target(), never)).rejects.toMatchObject({ code: 'database-changed' });
  });

  it('is told from one of another version than the probe found, which is remembered from then on', async () => {
    const versions = new Map<string, string>();
    const versionMemory = {
      read: (identity: string) => Promise.resolve(versions.get(identity) ?? null),
      write: (identity: string, version: string) => Promise.resolve(void versions.set(identity, version)),
    };
    const fake = { server: `exec '${process.execPath}' '${SERVER}' 0.75.0` };
    const scanner = await fakeTrivy(fake, { versionMemory });
    expect(await scanner.probe(never)).toMatchObject({ version: '0.74.0' });
    const analysis = { imageId, scannerName: 'trivy', scannerVersion: '0.74.0', parts: [], recipe: Buffer.alloc(0) };
    await expect(scanner.evaluate([analysis], never)).rejects.toMatchObject({ code: 'version-changed', action: 'retry' });
    expect([...versions.values()]).toEqual(['0.75.0']);
    expect(await scanner.probe(never)).toMatchObject({ version: '0.75.0' });
    expect(await scanner.evaluate([analysis], never)).toEqual([null]);
  });

  it('is told from a report by another version than the probe found', async () => {
    const image = `echo '{"SchemaVersion":2,"Trivy":{"Version":"0.75.0"},"Metadata":{"ImageID":"${imageId}"}}'`;
    await expect((await fakeTrivy({ image })).scan(target(), never)).rejects.toMatchObject({ code: 'version-changed' });
  });
});

describe('scan: names', () => {
  it('tries a tag, then the repository digests, then the other tags, each once', async () => {
    const scanner = await fakeTrivy({ image: notFound });
    const result = await scanner.scan(target({ repoTags: ['a:1', 'a:2', 'a:1'], repoDigests: [`a@${otherId}`] }), never);
    expect(result).toMatchObject({
      kind: 'unscanned',
      reason: 'no-scannable-name',
      message: expect.stringContaining('not found') as string,
    });
    expect((await calls()).filter((call) => call.startsWith('image'))).toEqual(['image a:1', `image a@${otherId}`, 'image a:2']);
  });

  it('takes the report of the first name that is the image', async () => {
    const image = `case $name in a:1) ${notFound};; a:2) echo '${report(otherId)}';; *) echo '${report(imageId)}';; esac`;
    const result = await (await fakeTrivy({ image })).scan(target({ repoTags: ['a:1', 'a:2', 'a:3', 'a:4'] }), never);
    expect(result).toMatchObject({ kind: 'scanned', report: { imageId, scanner: { version: '0.74.0' } } });
    expect((await calls()).at(-1)).toBe('image a:3');
  });

  it('never takes the report of another image', async () => {
    const scanner = await fakeTrivy({ image: `case $name in a:1) echo '${report(otherId)}';; *) ${notFound};; esac` });
    const result = await scanner.scan(target({ repoTags: ['a:1', 'a:2'] }), never);
    expect(result).toMatchObject({ kind: 'unscanned', reason: 'report-for-another-image' });
  });

  it('knows the image with and without sha256:', async () => {
    const scanner = await fakeTrivy();
    expect(await scanner.scan({ ...target(), imageId: imageId.slice(7) }, never)).toMatchObject({ kind: 'scanned' });
  });

  it.each([
    {},
    { repoTags: ['<none>:<none>'], repoDigests: ['<none>@<none>'] },
    { repoTags: ['a:<none>'], repoDigests: [`<none>@${otherId}`] },
    { repoTags: [''] },
  ])('does not start Trivy for an image without a name: %j', async (names) => {
    const result = await (await fakeTrivy()).scan(target(names), never);
    expect(result).toMatchObject({ kind: 'unscanned', reason: 'no-scannable-name' });
    await expect(calls()).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('never asks for a name that lacks a part', async () => {
    const scanner = await fakeTrivy({ image: notFound });
    await scanner.scan(target({ repoTags: ['a:1'], repoDigests: [`<none>@${otherId}`, `a@${otherId}`] }), never);
    expect((await calls()).filter((call) => call.startsWith('image'))).toEqual(['image a:1', `image a@${otherId}`]);
  });

  it('cannot scan where the runtime is not containerd, says so beforehand, and starts nothing', async () => {
    const scanner = await fakeTrivy({}, { images: { kind: 'other', runtimeName: 'cri-o' } });
    const message = 'Trivy cannot read the image store of cri-o';
    expect(scanner.unsupportedBecause).toBe(message);
    expect(await scanner.scan(target(), never)).toEqual({ kind: 'unscanned', reason: 'unsupported-runtime', message });
    await expect(calls()).rejects.toMatchObject({ code: 'ENOENT' });
    expect((await fakeTrivy()).unsupportedBecause).toBeNull();
  });
});

describe('scan: failures', () => {
  it('tells by which name it came to an image that cannot be parsed', async () => {
    const layer = `run error: image scan error: scan error: scan failed: failed analysis: analyze error: pipeline error: failed to analyze layer (${imageId})`;
    const corrupt = fatal(`${layer}: walk error: failed to extract the archive: unexpected EOF`);
    const scanner = await fakeTrivy({ image: `case $name in a:1) ${notFound};; *) ${corrupt};; esac` });
    expect(await scanner.scan(target({ repoTags: ['a:1', 'a:2', 'a:3'] }), never)).toEqual({
      kind: 'unparsable',
      error: expect.stringContaining('unexpected EOF') as string,
      scannedName: 'a:2',
    });
  });

  it.each([
    ['is killed', 'kill -KILL $$', 'killed'],
    ['is ended', 'kill -TERM $$', 'killed'],
    ['has no room', fatal('write /x: no space left on device'), 'disk-full'],
    ['fails in a way of its own', 'echo oops >&2; exit 1', 'scan-failed'],
    ['prints without end', 'yes garbage', 'scan-failed'],
  ])('keeps an image over which Trivy %s', async (_, image, reason) => {
    const scanner = await fakeTrivy({ image }, { maxReportBytes: 100_000 });
    expect(await scanner.scan(target(), never)).toMatchObject({ kind: 'unscanned', reason });
  });

  it.each([
    ['garbage', 'echo garbage', 'bad-output'],
    ['half a report', `printf '%.60s' '${report(imageId)}'`, 'bad-output'],
    ['nothing', 'exit 0', 'bad-output'],
    [
      'that the database is gone',
      fatal('run error: init error: DB error: database error: --skip-db-update cannot be specified on the first run'),
      'no-database',
    ],
  ])('is a fault of the scanner where Trivy prints %s', async (_, image, code) => {
    await expect((await fakeTrivy({ image })).scan(target(), never)).rejects.toMatchObject({ name: 'ScannerFault', code });
  });

  it('is a fault where the program has gone since the probe', async () => {
    const scanner = await fakeTrivy();
    await scanner.probe(never);
    await rm(join(directory, 'trivy'));
    await expect(scanner.scan(target(), never)).rejects.toMatchObject({ code: 'not-found' });
  });

  it('keeps an image over which Trivy panics, unless it panics without it too', async () => {
    const panic = `printf 'panic: nil pointer\\n\\ngoroutine 1 [running]:\\n' >&2; exit 2`;
    const scanner = await fakeTrivy({ image: panic });
    expect(await scanner.scan(target(), never)).toMatchObject({ kind: 'unscanned', reason: 'scan-failed' });
    expect((await calls()).at(-1)).toMatch(/^sbom /);
    const broken = await fakeTrivy({ image: panic });
    await broken.probe(never);
    await fakeTrivy({ image: panic, sbom: panic });
    await expect(broken.scan(target(), never)).rejects.toMatchObject({ code: 'crashed' });
  });

  it('ends Trivy on abort and rejects with the reason', async () => {
    const scanner = await fakeTrivy({ image: 'trap "" TERM; while :; do sleep 0.05; done' });
    await scanner.probe(never);
    const time = AbortSignal.timeout(200);
    await expect(scanner.scan(target(), time)).rejects.toMatchObject({ name: 'TimeoutError' });
  });

  it('removes what Trivy left in its folder', async () => {
    const scanner = await fakeTrivy({ image: `mkdir -p "$TMPDIR/a/b"; echo x >"$TMPDIR/a/b/c"; kill -KILL $$` });
    expect(await scanner.scan(target(), never)).toMatchObject({ reason: 'killed' });
  });

  it('removes at first what one that was killed left in the folder for temporary files', async () => {
    await mkdir(join(tmpDir, 'image-cleaner-scan-1-1-abcdef', 'image'), { recursive: true });
    const scanner = await fakeTrivy({ version: `ls '${tmpDir}' >'${join(directory, 'seen')}'; echo '{"Version":"0.74.0"}'` });
    await scanner.probe(never);
    expect((await readFile(join(directory, 'seen'), 'utf8')).trim()).toMatch(
      new RegExp(`^image-cleaner-scan-${process.pid}-\\d+-[A-Za-z0-9]{6}$`),
    );
  });

  it('finds no settings in the working folder', async () => {
    const scanner = await fakeTrivy({ image: `[ -z "$(ls -A)" ] && echo '${report(imageId)}'` });
    expect(await scanner.scan(target(), never)).toMatchObject({ kind: 'scanned' });
  });
});

describe('scan: Java archives', () => {
  const needsIndex = (): string => `if [ -e '${join(directory, 'java-index')}' ]; then echo '${report(imageId)}'; else ${noJavaIndex}; fi`;

  it('keeps the image where there is no index and nothing may be downloaded', async () => {
    const result = await (await fakeTrivy({ image: noJavaIndex })).scan(target(), never);
    expect(result).toMatchObject({ kind: 'unscanned', reason: 'scan-failed', message: expect.stringContaining('Java') as string });
  });

  it('loads the index once for all images', async () => {
    const download = `case "$*" in *java*) sleep 0.2; touch '${join(directory, 'java-index')}';; esac`;
    const scanner = await fakeTrivy({ image: needsIndex(), download }, { database: { kind: 'download' } });
    await scanner.probe(never);
    const results = await Promise.all([scanner.scan(target(), never), scanner.scan(target(), never)]);
    expect(results).toMatchObject([{ kind: 'scanned' }, { kind: 'scanned' }]);
    // The download of the index; the database needs none.
    expect((await calls()).filter((call) => call.startsWith('image /'))).toHaveLength(1);
  });

  it('remembers that it cannot be had, but not that one image ran out of time', async () => {
    const options = { database: { kind: 'download' } } as const;
    const slow = await fakeTrivy({ image: needsIndex(), download: `case "$*" in *java*) sleep 100;; esac` }, options);
    await slow.probe(never);
    const outOfTime = new AbortController();
    const scan = slow.scan(target(), outOfTime.signal);
    await waitUntil('the download of the index has begun', async () => (await calls()).some((call) => call.startsWith('image /')));
    outOfTime.abort(new DOMException('out of time', 'TimeoutError'));
    await expect(scan).rejects.toMatchObject({ name: 'TimeoutError' });
    await fakeTrivy({ image: needsIndex(), download: `case "$*" in *java*) ${fatal('manifest unknown')};; esac` }, options);
    for (const attempt of [1, 2]) {
      const result = await slow.scan(target(), never);
      expect({ attempt, result }).toMatchObject({
        result: { kind: 'unscanned', message: expect.stringContaining('manifest unknown') as string },
      });
    }
    // The download that took too long, the one that failed.
    expect((await calls()).filter((call) => call.startsWith('image /'))).toHaveLength(2);
  });
});
