import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { startContainerd, type PrivateContainerd } from '../../lab/containerd.ts';
import type { Files } from '../../lab/build-image.ts';
import { buildImage, buildLayer, importImages, type Image } from '../../lab/images.ts';
import { lacksRealPart } from '../../lab/real-parts.ts';
import { alpineFiles, debianFiles, npmFiles } from '../../lab/sample-packages.ts';
import { ensureTrivy } from '../../lab/tools.ts';
import { declareTrivyDatabase, writeTrivyDatabase } from '../../lab/trivy-database.ts';
import { trivyServerPath } from '../../src/api/coordinator/coordinator-api.ts';
import type { ScanReport } from '../../src/api/scan-report.ts';
import { connectTrivyServer } from '../../src/coordinator/connect-trivy-server.ts';
import type { CoordinatorLimits } from '../../src/coordinator/limits.ts';
import { makeAuthority, makeServerIdentity } from '../../src/coordinator/pki/make-authority.ts';
import type { TrivyServerCall } from '../../src/coordinator/ports.ts';
import type { Scanner } from '../../src/engine/ports.ts';
import { SYSTEM_TIMING } from '../../src/platform/timing.ts';
import type { DatabaseSource } from '../../src/scan/trivy-options.ts';
import { createTrivyScanner } from '../../src/scan/trivy-scanner.ts';
import { TrivyServerInTest } from './trivy-server-in-test.ts';
import { reviewOf, RUN, startCoordinator, type CoordinatorInTest, type StartOptions } from '../fakes/coordinator-in-test.ts';

/** Trivy as workers run it: the program is the client, the coordinator its server by our own HTTPS, and `trivy server` behind that. */

const signal = new AbortController().signal;

/** One image of the tests needs more bodies than one. */
const MOST_BYTES = 512 * 1024;

const image = (name: string, files: readonly Files[]): Image =>
  buildImage({
    refs: [`docker.io/library/${name}:1`],
    layers: files.map((each) => buildLayer({ files: each })),
    config: { labels: { name } },
  });
const openssl = alpineFiles('3.22.0', [{ name: 'openssl', version: '3.5.0-r0' }]);
const lodash = npmFiles([{ name: 'lodash', version: '4.17.20' }]);
/** More packages than fit into one request that is sent unasked. */
const many = npmFiles(
  Array.from({ length: 8_000 }, (_, at) => ({ name: `package-${String(at).padStart(40, 'x')}`, version: `1.0.${at}` })),
);
const images = [
  image('alpine', [openssl]),
  image('layered', [openssl, { 'app/app': 'x' }, lodash]),
  image('debian', [debianFiles('12.5', [{ name: 'zlib', version: '1:1.2.12-1' }])]),
  image('retired', [alpineFiles('3.15.0', [{ name: 'musl', version: '1' }])]),
  image('many', [openssl, many]),
];

describe.skipIf(lacksRealPart('trivy') || lacksRealPart('containerd-v2'))('Trivy through the coordinator', () => {
  let containerd: PrivateContainerd;
  let directory: string;
  let cacheDir: string;
  let trivy: string;
  let server: TrivyServerInTest;

  beforeAll(async () => {
    const tool = await ensureTrivy();
    if (tool.kind === 'missing') throw new Error(tool.reason);
    trivy = tool.path;
    directory = await mkdtemp(join(tmpdir(), 'trivy-coordinator-test-'));
    cacheDir = join(directory, 'cache');
    await writeTrivyDatabase(
      cacheDir,
      declareTrivyDatabase(
        [
          { ecosystem: 'alpine', release: '3.22', packageName: 'openssl', id: 'CVE-2026-1', severity: 'HIGH', fixedVersion: '3.5.1-r0' },
          { ecosystem: 'debian', release: '12', packageName: 'zlib', id: 'CVE-2026-2', severity: 'LOW', fixedVersion: '1:1.2.13-1' },
          { ecosystem: 'npm', packageName: 'lodash', id: 'CVE-2026-3', severity: 'MEDIUM', fixedVersion: '4.17.21' },
        ],
        new Date('2026-01-01T00:00:00Z'),
      ),
    );
    server = await TrivyServerInTest.start(trivy, cacheDir);
    containerd = await startContainerd({ version: 'v2' });
    await importImages(containerd, images);
  });
  afterAll(async () => {
    await containerd.stop();
    await server.stop();
    await rm(directory, { recursive: true });
  });

  const scannerWith = (database: DatabaseSource, cache = join(directory, 'no-cache')): Scanner => {
    const scanner = createTrivyScanner({
      binary: trivy,
      images: { kind: 'containerd', address: containerd.endpoint },
      database,
      cacheDir: cache,
      tmpDir: join(directory, 'tmp'),
      memoryLimitBytes: 256 * 1024 * 1024,
      env: process.env,
      now: Date.now,
    });
    onTestFinished(() => scanner.close());
    return scanner;
  };

  interface Way {
    readonly coordinator: CoordinatorInTest;
    /** Called by the coordinator. */
    readonly calls: TrivyServerCall[];
    /** `patienceMs`: how long the scanner waits for what is away. */
    readonly scanner: (patienceMs?: number) => Scanner;
  }

  async function through(url: string, options: StartOptions = {}): Promise<Way> {
    const coordinator = await startCoordinator(options);
    const calls: TrivyServerCall[] = [];
    const connection = connectTrivyServer(url);
    onTestFinished(() => connection.close());
    coordinator.controller.trivy = {
      pass: (call, abort) => {
        calls.push(call);
        return connection.pass(call, abort);
      },
    };
    const { tokenFile, caFile } = coordinator.files;
    const scanner = (patienceMs = 10_000): Scanner =>
      scannerWith({
        kind: 'server',
        url: new URL(trivyServerPath(RUN), coordinator.url).href,
        together: { path: 'calls', mostBytes: MOST_BYTES },
        tokenHeader: 'Authorization',
        token: async () => `Bearer ${await readFile(tokenFile, 'utf8')}`,
        ca: () => readFile(caFile, 'utf8'),
        patience: { ms: patienceMs, timing: SYSTEM_TIMING },
      });
    return { coordinator, calls, scanner };
  }

  async function scan(scanner: Scanner, { id, refs }: Image): Promise<ScanReport> {
    const attempt = await scanner.scan({ imageId: id, repoTags: refs, repoDigests: [] }, signal);
    if (attempt.kind !== 'scanned') throw new Error(JSON.stringify(attempt));
    return attempt.report;
  }
  const [first, second] = images as [Image, Image];

  test('reports are those of a scan by a database here, and nothing but the calls of a client is made', async () => {
    const way = await through(server.url);
    const [there, here] = [way.scanner(), scannerWith({ kind: 'as-is' }, cacheDir)];
    const scannerHere = await here.probe(signal);
    const scannerThere = await there.probe(signal);
    expect(scannerThere).toEqual({ ...scannerHere, databaseMark: expect.any(String) as string });
    for (const each of images) {
      const report = await scan(there, each);
      expect({ ...report, scanner: scannerHere }).toEqual(await scan(here, each));
    }
    expect((await scan(there, second)).findings.map(({ id }) => id)).toEqual(['CVE-2026-3', 'CVE-2026-1']);
    expect([...new Set(way.calls.map(({ path }) => path))].sort()).toEqual([
      'twirp/trivy.cache.v1.Cache/PutArtifact',
      'twirp/trivy.cache.v1.Cache/PutBlob',
      'twirp/trivy.scanner.v1.Scanner/Scan',
      'version',
    ]);
    expect(Math.max(...way.calls.map(({ body }) => body.length))).toBeGreaterThan(1024 * 1024);
    expect(way.coordinator.server.bytesInFlight).toBe(0);
    expect(way.coordinator.events).toEqual([]);
  });

  test('the same, however narrow the limits of the coordinator are: it is asked again', async () => {
    const limits: Partial<CoordinatorLimits> = {
      worker: { burst: 5, perSecond: 20 },
      maxCallsPerWorker: 1,
      maxTrivyBytesInFlight: 8 * 1024 * 1024,
    };
    const way = await through(server.url, { limits });
    const there = way.scanner(60_000);
    const reports = await Promise.all(images.map((each) => scan(there, each)));
    expect(reports.map(({ findings }) => findings.length)).toEqual([1, 2, 1, 0, 1]);
  });

  test('token and CA bundle are those of the files at each call', async () => {
    const way = await through(server.url);
    const { coordinator } = way;
    const scanner = way.scanner();
    await scan(scanner, first);
    const next = makeAuthority(Date.now());
    await writeFile(coordinator.files.caFile, coordinator.authority.certificate + next.certificate);
    coordinator.server.useIdentity(makeServerIdentity(next, ['localhost'], Date.now()));
    coordinator.controller.reviews.clear();
    coordinator.controller.reviews.set('another.token.now', reviewOf('worker-1', 'uid-1', RUN.node));
    await writeFile(coordinator.files.tokenFile, 'another.token.now');
    expect((await scan(scanner, second)).findings).toHaveLength(2);
  });

  test.each([
    ['Trivy’s server is away', 'http://127.0.0.1:1', 'server-failed', /Trivy's server beside the coordinator does not answer/],
    ['the run is over', null, 'server-refused', /The run .* is over/],
  ])('%s: a fault of the scanner, that says so and no token', async (_, url, code, why) => {
    const { coordinator, scanner } = await through(url ?? server.url);
    if (url === null) coordinator.controller.running.clear();
    const fault = await scanner(500)
      .scan({ imageId: first.id, repoTags: first.refs, repoDigests: [] }, signal)
      .catch((error: unknown) => error as Error);
    expect(fault).toMatchObject({ name: 'ScannerFault', code, message: expect.stringMatching(why) as string });
    expect(JSON.stringify([fault, coordinator.events])).not.toContain(await readFile(coordinator.files.tokenFile, 'utf8'));
  });

  test('the coordinator is away for a while in the middle: the scan waits for it', async () => {
    const { coordinator, scanner } = await through(server.url);
    const waiting = scanner(60_000);
    await scan(waiting, first);
    await coordinator.server.close(0);
    const scanned = scan(waiting, second);
    await SYSTEM_TIMING.sleep(1_000, signal);
    await coordinator.restart();
    expect((await scanned).findings).toHaveLength(2);
  });

  test('Trivy’s server was started anew in the middle: it is told again what it has lost', async () => {
    const servers = [await TrivyServerInTest.start(trivy, cacheDir)];
    const { coordinator, scanner } = await through('http://127.0.0.1:1');
    const connect = (url: string): void => {
      const connection = connectTrivyServer(url);
      onTestFinished(() => connection.close());
      coordinator.controller.trivy = connection;
    };
    connect(servers[0]?.url ?? '');
    const there = scanner();
    // Both begin with the same layer.
    expect((await scan(there, first)).findings).toHaveLength(1);
    await servers[0]?.stop();
    servers.push(await TrivyServerInTest.start(trivy, cacheDir));
    onTestFinished(() => servers[1]?.stop());
    connect(servers[1]?.url ?? '');
    expect((await scan(there, second)).findings).toHaveLength(2);
  });

  test('Trivy’s server has loaded another database in the middle: images are judged by that', async () => {
    const copy = join(directory, 'updated');
    await cp(cacheDir, copy, { recursive: true });
    const updated = await TrivyServerInTest.start(trivy, copy);
    onTestFinished(() => updated.stop());
    const { scanner } = await through(updated.url);
    const following = scanner();
    expect((await scan(following, first)).scanner.databaseUpdatedAt).toBe('2026-01-01T00:00:00.000Z');
    const metadata = join(copy, 'db', 'metadata.json');
    await writeFile(metadata, (await readFile(metadata, 'utf8')).replace('2026-01-01', '2026-01-03'));
    const reports = await Promise.all([first, second].map((each) => scan(following, each)));
    expect(reports.map((report) => report.scanner.databaseUpdatedAt)).toEqual(['2026-01-03T00:00:00.000Z', '2026-01-03T00:00:00.000Z']);
  });
});
