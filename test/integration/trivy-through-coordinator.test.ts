import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { inspect } from 'node:util';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Files } from '../../lab/build-image.ts';
import { startContainerd, type PrivateContainerd } from '../../lab/containerd.ts';
import { buildImage, buildLayer, importImages, type Image } from '../../lab/images.ts';
import { lacksRealPart } from '../../lab/real-parts.ts';
import { alpineFiles, debianFiles, npmFiles } from '../../lab/sample-packages.ts';
import { ensureTrivy } from '../../lab/tools.ts';
import { declareTrivyDatabase, writeTrivyDatabase } from '../../lab/trivy-database.ts';
import type { ImageAnalysis, ScanReport } from '../../src/api/scan-report.ts';
import type { CoordinatorLimits } from '../../src/coordinator/limits.ts';
import { makeAuthority, makeServerIdentity } from '../../src/coordinator/pki/make-authority.ts';
import { connectToRuntime } from '../../src/cri/connect-to-runtime.ts';
import type { CriRuntime } from '../../src/cri/cri-runtime.ts';
import { readBootClock } from '../../src/platform/boot-clock.ts';
import { decodePart, encodePart } from '../../src/scan/analysis-form.ts';
import { PutBlobRequestSchema } from '../../src/scan/gen/trivy_pb.js';
import { createTrivyScanner } from '../../src/scan/trivy-scanner.ts';
import { revokeInHistory } from '../../src/store/revoke-in-history.ts';
import { readKnownReports } from '../../src/worker/read-known-reports.ts';
import type { SharedScans } from '../../src/worker/share-scans.ts';
import { eventually } from '../fakes/eventually.ts';
import { openAddress, openScanningCluster, type ScanningCluster, type ScanningNode } from './scanning-cluster.ts';
import { TrivyServerInTest } from './trivy-server-in-test.ts';

/** Trivy as workers run it: it only reads. What it has read goes to the coordinator by our own HTTPS, which judges it by `trivy server` and keeps it. */

const signal = new AbortController().signal;

const image = (name: string, files: readonly Files[]): Image =>
  buildImage({
    refs: [`docker.io/library/${name}:1`],
    layers: files.map((each) => buildLayer({ files: each })),
    config: { labels: { name } },
  });
const openssl = alpineFiles('3.22.0', [{ name: 'openssl', version: '3.5.0-r0' }]);
const lodash = npmFiles([{ name: 'lodash', version: '4.17.20' }]);
/** What is read of them has more than a mebibyte. */
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
const [first, second] = images as [Image, Image];
/** With these there are more than one node takes at once. */
const more = [...images, ...Array.from({ length: 10 }, (_, at) => image(`small-${at}`, [openssl, { 'app/app': String(at) }]))];
const idsOf = (all: readonly Image[]): string[] => all.map(({ id }) => id).sort();

/** In the order of the images. */
function reportsOf({ results }: SharedScans, wanted: readonly Image[]): ScanReport[] {
  return wanted.map(({ id }) => {
    const result = results.get(id);
    if (result?.kind !== 'scanned') throw new Error(JSON.stringify(result));
    return result.report;
  });
}
const foundIn = (reports: readonly ScanReport[]): string[][] => reports.map(({ findings }) => findings.map(({ id }) => id));

/** What a node tells that lies: under the keys that Trivy gives them, the layers have no packages of an operating system. */
function withoutPackages(analysis: ImageAnalysis): ImageAnalysis {
  const parts = analysis.parts.map((part) => {
    const { blobInfo, ...request } = fromBinary(PutBlobRequestSchema, decodePart(part) ?? new Uint8Array());
    if (blobInfo === undefined) throw new Error('no layer');
    return encodePart(part.key, toBinary(PutBlobRequestSchema, { ...request, blobInfo: { ...blobInfo, packageInfos: [] } }));
  });
  return { ...analysis, parts };
}

describe.skipIf(lacksRealPart('trivy') || lacksRealPart('containerd-v2'))('Trivy through the coordinator', () => {
  let containerd: PrivateContainerd;
  let runtime: CriRuntime;
  let directory: string;
  let cacheDir: string;
  /** Of a database that came later, with vulnerabilities of its own. */
  let laterCacheDir: string;
  let trivy: string;
  let server: TrivyServerInTest;

  beforeAll(async () => {
    const tool = await ensureTrivy();
    if (tool.kind === 'missing') throw new Error(tool.reason);
    trivy = tool.path;
    directory = await mkdtemp(join(tmpdir(), 'trivy-coordinator-test-'));
    cacheDir = await writeDatabase('CVE-2026', '2026-01-01T00:00:00Z');
    laterCacheDir = await writeDatabase('CVE-2027', '2027-01-01T00:00:00Z');
    server = await TrivyServerInTest.start(trivy, cacheDir);
    containerd = await startContainerd({ version: 'v2' });
    await importImages(containerd, more);
    runtime = await connectToRuntime({ socketPath: containerd.socket }, signal);
  });
  afterAll(async () => {
    runtime.close();
    await containerd.stop();
    await server.stop();
    await rm(directory, { recursive: true });
  });

  async function writeDatabase(ids: string, updatedAt: string): Promise<string> {
    const folder = join(directory, ids);
    const database = declareTrivyDatabase(
      [
        { ecosystem: 'alpine', release: '3.22', packageName: 'openssl', id: `${ids}-1`, severity: 'HIGH', fixedVersion: '3.5.1-r0' },
        { ecosystem: 'debian', release: '12', packageName: 'zlib', id: `${ids}-2`, severity: 'LOW', fixedVersion: '1:1.2.13-1' },
        { ecosystem: 'npm', packageName: 'lodash', id: `${ids}-3`, severity: 'MEDIUM', fixedVersion: '4.17.21' },
      ],
      new Date(updatedAt),
    );
    await writeTrivyDatabase(folder, database);
    return folder;
  }

  const trivyHere = () => ({
    binary: trivy,
    images: { kind: 'containerd', address: containerd.endpoint } as const,
    tmpDir: join(directory, 'tmp'),
    memoryLimitBytes: 256 * 1024 * 1024,
    env: process.env,
    now: Date.now,
  });

  const openCluster = (trivyServer = server.url, limits: Partial<CoordinatorLimits> = {}): Promise<ScanningCluster> =>
    openScanningCluster({ trivyServer, limits, runtime, reading: { ...trivyHere(), cacheDir: join(directory, 'no-cache') } });

  /** What a scan by the database here says of the images. */
  async function scanHere(wanted: readonly Image[]): Promise<ScanReport[]> {
    const scanner = createTrivyScanner({ ...trivyHere(), cacheDir, database: { kind: 'as-is' } });
    onTestFinished(() => scanner.close());
    const reports: ScanReport[] = [];
    for (const { id, refs } of wanted) {
      const attempt = await scanner.scan({ imageId: id, repoTags: refs, repoDigests: [] }, signal);
      if (attempt.kind !== 'scanned') throw new Error(JSON.stringify(attempt));
      reports.push(attempt.report);
    }
    return reports;
  }

  /** It may be stopped before the test ends. */
  async function startServer(cache: string): Promise<Pick<TrivyServerInTest, 'url' | 'stop'>> {
    const started = await TrivyServerInTest.start(trivy, cache);
    let stopped: Promise<void> | null = null;
    const stop = (): Promise<void> => (stopped ??= started.stop());
    onTestFinished(stop);
    return { url: started.url, stop };
  }

  /** Which node has read the image, by the ids of the images. */
  function readersIn(path: string, table: 'analysis' | 'scan_report'): Record<string, unknown> {
    using database = new DatabaseSync(path, { readOnly: true });
    const rows = database.prepare(`SELECT id_key, reported_by FROM ${table}`).all();
    return Object.fromEntries(rows.map(({ id_key, reported_by }) => [`sha256:${String(id_key)}`, reported_by]));
  }
  const readersOf = (nodes: readonly ScanningNode[]): Record<string, unknown> =>
    Object.fromEntries(nodes.flatMap(({ name, read }) => read.map((id) => [id, name])));

  test('reports are those of a scan by a database here', async () => {
    const { coordinator, log, node } = await openCluster();
    const one = await node(1);
    const shared = await one.scan(images);
    const reports = reportsOf(shared, images);
    const here = await scanHere(images);
    const scanner = here[0]?.scanner;
    expect(reports.map((report) => ({ ...report, scanner }))).toEqual(here);
    const databaseMark = expect.stringMatching(/^server:cluster /) as string;
    for (const report of reports) expect(report.scanner).toEqual({ ...scanner, databaseMark });
    expect(foundIn(reports)).toEqual([['CVE-2026-1'], ['CVE-2026-3', 'CVE-2026-1'], ['CVE-2026-2'], [], ['CVE-2026-1']]);
    expect(shared.reused).toBe(0);
    expect(one.read.toSorted()).toEqual(idsOf(images));
    const sizes = one.exchanges.flatMap(({ analyses }) => analyses.flatMap(({ parts }) => parts.map(({ data }) => data.length)));
    expect(Math.max(...sizes)).toBeGreaterThan(1024 * 1024);
    await eventually(() => coordinator.server.bytesInFlight).toBe(0);
    expect([coordinator.events, coordinator.retries, log]).toEqual([[], [], []]);
  });

  test('nodes that have the same images share the work: each image is read once, by one of them, and all get all reports', async () => {
    const { path, node } = await openCluster();
    const nodes = [await node(1), await node(2)] as const;
    // Neither ends before both have begun.
    const begun = new Set<string>();
    const both = Promise.withResolvers<undefined>();
    for (const each of nodes) {
      each.beforeRead = () => {
        if (begun.add(each.name).size === nodes.length) both.resolve(undefined);
        return both.promise;
      };
    }
    const [byOne, byTwo] = await Promise.all([nodes[0].scan(more), nodes[1].scan(more)]);
    expect(nodes.flatMap(({ read }) => read).sort()).toEqual(idsOf(more));
    expect(reportsOf(byTwo, more)).toEqual(reportsOf(byOne, more));
    expect(foundIn(reportsOf(byOne, images)).flat()).toHaveLength(5);
    expect([byOne.reused, byTwo.reused]).toEqual([nodes[1].read.length, nodes[0].read.length]);
    const readers = readersOf(nodes);
    expect(new Set(Object.values(readers))).toEqual(new Set(['node-1', 'node-2']));
    expect(readersIn(path, 'analysis')).toEqual(readers);
    expect(readersIn(path, 'scan_report')).toEqual(readers);

    const late = await node(3);
    const known = await late.scan(more);
    expect(reportsOf(known, more)).toEqual(reportsOf(byOne, more));
    expect([late.read, known.reused, late.exchanges.length]).toEqual([[], more.length, 1]);
    expect(readersIn(path, 'scan_report')).toEqual(readers);
  });

  test('a new database judges all that was ever read, and no node reads an image again', async () => {
    const address = await openAddress(server.url);
    const { path, node, passTime } = await openCluster(address.url);
    const [one, two] = [await node(1), await node(2)];
    await one.scan(images);
    const later = await startServer(laterCacheDir);
    address.leadTo(later.url);
    passTime();
    const shared = await two.scan(images);
    const reports = reportsOf(shared, images);
    expect(foundIn(reports)).toEqual([['CVE-2027-1'], ['CVE-2027-3', 'CVE-2027-1'], ['CVE-2027-2'], [], ['CVE-2027-1']]);
    expect(new Set(reports.map(({ scanner }) => scanner.databaseUpdatedAt))).toEqual(new Set(['2027-01-01T00:00:00.000Z']));
    expect([two.read, shared.reused]).toEqual([[], images.length]);
    // Whoever has asked, it is what this one has read.
    const readers = readersOf([one]);
    expect(readersIn(path, 'analysis')).toEqual(readers);
    expect(readersIn(path, 'scan_report')).toEqual(readers);
  });

  test('what a node has read that was revoked is read anew by another, what others have read is not; it is heard no more in this run', async () => {
    const { path, node } = await openCluster();
    const [one, two, three] = [await node(1), await node(2), await node(3)];
    const [byOne, byTwo] = [images.slice(0, 2), images.slice(2)];
    const before = [...reportsOf(await one.scan(byOne), byOne), ...reportsOf(await two.scan(byTwo), byTwo)];
    const revoked = await revokeInHistory({ place: { path }, now: Date.now, bootClock: readBootClock }, 'node-1');
    expect(revoked?.map(({ imageId }) => imageId).sort()).toEqual(idsOf(byOne));
    for (const table of ['analysis', 'scan_report'] as const) expect(readersIn(path, table)).toEqual(readersOf([two]));

    await one.call({ wanted: [first.id], mayTake: 1 });
    const { results } = await one.call({ analyses: [withoutPackages(await one.analyse(first))] });
    expect(results).toMatchObject([
      { imageId: first.id, result: { kind: 'unscanned', message: expect.stringContaining('was revoked in this run') as string } },
    ]);
    const after = reportsOf(await three.scan(images), images);
    expect(after).toEqual(before);
    expect(three.read.toSorted()).toEqual(idsOf(byOne));
    for (const table of ['analysis', 'scan_report'] as const) expect(readersIn(path, table)).toEqual(readersOf([two, three]));
  });

  test('Trivy’s server has loaded another database while it runs: who has no scanner is told what that says', async () => {
    const copy = join(directory, 'updated');
    await cp(cacheDir, copy, { recursive: true });
    const updated = await startServer(copy);
    const { node, passTime } = await openCluster(updated.url);
    const [one, two] = [await node(1), await node(2)];
    const dates = (reports: readonly ScanReport[]) => reports.map(({ scanner }) => scanner.databaseUpdatedAt);
    expect(dates(reportsOf(await one.scan([first]), [first]))).toEqual(['2026-01-01T00:00:00.000Z']);
    const metadata = join(copy, 'db', 'metadata.json');
    await writeFile(metadata, (await readFile(metadata, 'utf8')).replace('2026-01-01', '2026-01-03'));
    passTime();
    const known = await readKnownReports(two.client, [first.id, second.id], signal);
    expect([...known.keys()]).toEqual([first.id]);
    expect(dates([...known.values()])).toEqual(['2026-01-03T00:00:00.000Z']);
    expect(dates(reportsOf(await two.scan([first, second]), [first, second]))).toEqual(Array(2).fill('2026-01-03T00:00:00.000Z'));
    expect([one.read, two.read]).toEqual([[first.id], [second.id]]);
  });

  test('Trivy’s server is away for a while, and has lost all when it is back: what was read waits for it', async () => {
    const before = await startServer(cacheDir);
    const address = await openAddress(before.url);
    const { coordinator, node } = await openCluster(address.url);
    const one = await node(1);
    await one.scan([first]);
    one.beforeRead = () => {
      address.leadTo(null);
      return before.stop();
    };
    // The second image begins with a layer of the first.
    const scanned = one.scan(images);
    await eventually(() => coordinator.retries).toContain('away');
    address.leadTo((await startServer(cacheDir)).url);
    one.beforeRead = () => Promise.resolve();
    expect(foundIn(reportsOf(await scanned, images)).flat()).toHaveLength(5);
    expect(one.read.toSorted()).toEqual(idsOf(images));
  });

  test('the coordinator is away for a while: the scan waits for it, and no image is read twice', async () => {
    const { coordinator, node } = await openCluster();
    const one = await node(1);
    one.beforeRead = () => coordinator.server.close(0);
    const scanned = one.scan(images);
    await eventually(() => coordinator.retries).toContain('unreachable');
    // Of what it gave out before, this one knows nothing.
    await coordinator.restart();
    expect(foundIn(reportsOf(await scanned, images)).flat()).toHaveLength(5);
    expect(one.read.toSorted()).toEqual(idsOf(images));
  });

  test('however narrow the limits of the coordinator are, all comes out the same: it is asked again', async () => {
    const limits: Partial<CoordinatorLimits> = {
      worker: { burst: 1, perSecond: 0.5 },
      maxCallsPerWorker: 1,
      maxScansCalls: 2,
      maxScansBytesInFlight: 4 * 1024 * 1024,
      maxJudgements: 1,
    };
    const { coordinator, node } = await openCluster(server.url, limits);
    const [one, two] = [await node(1), await node(2)];
    const [byOne, byTwo] = await Promise.all([one.scan(images), two.scan(images), readKnownReports(one.client, [first.id], signal)]);
    expect(foundIn(reportsOf(byOne, images)).flat()).toHaveLength(5);
    expect(reportsOf(byTwo, images)).toEqual(reportsOf(byOne, images));
    expect([...one.read, ...two.read].sort()).toEqual(idsOf(images));
    expect(coordinator.retries).toContain('away');
  });

  test('token and CA bundle are those of the files at each call', async () => {
    const { coordinator, node } = await openCluster();
    const { reviews } = coordinator.controller;
    const one = await node(1);
    await one.scan([first]);
    const next = makeAuthority(Date.now());
    await writeFile(coordinator.files.caFile, coordinator.authority.certificate + next.certificate);
    coordinator.server.useIdentity(makeServerIdentity(next, ['localhost'], Date.now()));
    const review = reviews.get(await readFile(one.tokenFile, 'utf8'));
    if (review === undefined) throw new Error('no such token');
    reviews.clear();
    reviews.set('another.token.now', review);
    await writeFile(one.tokenFile, 'another.token.now');
    expect(foundIn(reportsOf(await one.scan([second]), [second]))).toEqual([['CVE-2026-3', 'CVE-2026-1']]);
  });

  test('Trivy’s server stays away: it is asked for until the patience is over, then that is a fault, which says no token', async () => {
    const { coordinator, log, node } = await openCluster('http://127.0.0.1:1');
    let now = 0;
    const sleep = (ms: number): Promise<void> => {
      now += ms;
      return Promise.resolve();
    };
    const one = await node(1, { timing: { now: () => now, sleep, random: () => 0 }, giveUpAfterMs: 60_000 });
    const fault = await one.scan([first]).catch((error: unknown) => error);
    const message = expect.stringMatching(/trivy-away: Trivy's server beside the coordinator does not answer/) as string;
    expect(fault).toMatchObject({ name: 'CoordinatorError', code: 'away', problem: 'trivy-away', message });
    expect(coordinator.retries.length).toBeGreaterThan(5);
    // What nobody can judge nobody need read.
    expect(one.read).toEqual([]);
    expect(inspect([fault, coordinator.events, log], { depth: null })).not.toContain(await readFile(one.tokenFile, 'utf8'));
  });

  test('the run is over: a fault, which says so and no token', async () => {
    const { coordinator, log, node } = await openCluster();
    const one = await node(1);
    one.beforeRead = () => {
      coordinator.controller.running.clear();
      return Promise.resolve();
    };
    const fault = await one.scan([first]).catch((error: unknown) => error);
    const message = expect.stringMatching(/The run .* is over/) as string;
    expect(fault).toMatchObject({ name: 'CoordinatorError', code: 'run-ended', message });
    expect(inspect([fault, coordinator.events, log], { depth: null })).not.toContain(await readFile(one.tokenFile, 'utf8'));
  });

  test.each(['before', 'after'])(
    'a node that lies about a layer, %s others have read it, changes no verdict but that of the image that it was given',
    async (when) => {
      const address = await openAddress(server.url);
      const { node, passTime } = await openCluster(address.url);
      const [honest, liar] = [await node(1), await node(2)];
      const lie = withoutPackages(await liar.analyse(second));
      // Trivy calls the layer the same in both.
      const [layer] = (await honest.analyse(first)).parts;
      expect(lie.parts.map(({ key }) => key)).toContain(layer?.key);
      const tellLie = async (): Promise<void> => {
        expect(await liar.call({ wanted: [second.id], mayTake: 1 })).toMatchObject({ leased: [second.id] });
        const { results } = await liar.call({ analyses: [lie] });
        expect(results).toMatchObject([{ imageId: second.id, result: { report: { findings: [{ id: 'CVE-2026-3' }] } } }]);
      };
      const tellTruth = async (): Promise<void> =>
        expect(foundIn(reportsOf(await honest.scan([first]), [first]))).toEqual([['CVE-2026-1']]);
      for (const tell of when === 'before' ? [tellLie, tellTruth] : [tellTruth, tellLie]) await tell();

      // Now by what is kept of it, in a server that has neither.
      address.leadTo((await startServer(laterCacheDir)).url);
      passTime();
      const known = await readKnownReports(honest.client, [second.id, first.id], signal);
      expect(foundIn([first, second].flatMap(({ id }) => known.get(id) ?? []))).toEqual([['CVE-2027-1'], ['CVE-2027-3']]);
      const third = more.slice(-1);
      expect(foundIn(reportsOf(await honest.scan(third), third))).toEqual([['CVE-2027-1']]);
    },
  );

  test('a node that lies about an image that was not given to it changes no verdict', async () => {
    const { path, node } = await openCluster();
    const [honest, liar] = [await node(1), await node(2)];
    const lie = withoutPackages(await liar.analyse(first));
    // While another reads it.
    honest.beforeRead = async () => {
      expect(await liar.call({ inHand: [first.id], analyses: [lie] })).toMatchObject({ results: [], elsewhere: [first.id] });
    };
    expect(foundIn(reportsOf(await honest.scan([first]), [first]))).toEqual([['CVE-2026-1']]);
    // When another has read it.
    const { results } = await liar.call({ inHand: [first.id], analyses: [lie] });
    expect(results).toMatchObject([{ imageId: first.id, result: { report: { findings: [{ id: 'CVE-2026-1' }] } } }]);
    const known = await readKnownReports(honest.client, [first.id], signal);
    expect(foundIn([...known.values()])).toEqual([['CVE-2026-1']]);
    expect(readersIn(path, 'analysis')).toEqual({ [first.id]: 'node-1' });
  });
});
