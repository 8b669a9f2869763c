import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startContainerd, type PrivateContainerd } from '../../lab/containerd.ts';
import {
  addRepoDigest,
  buildImage,
  buildLayer,
  deleteLayerContent,
  importImages,
  tagImage,
  writeImageArchive,
  type Image,
  type Layer,
} from '../../lab/images.ts';
import { commandLine, listPids } from '../../lab/processes.ts';
import { lacksRealPart } from '../../lab/real-parts.ts';
import { alpineFiles, debianFiles, npmFiles } from '../../lab/sample-packages.ts';
import { ensureTrivy } from '../../lab/tools.ts';
import { declareTrivyDatabase, writeTrivyDatabase, type DeclaredVulnerability } from '../../lab/trivy-database.ts';
import { SEVERITIES, type ScanAttempt } from '../../src/api/scan-report.ts';
import type { Scanner, ScanTarget } from '../../src/engine/ports.ts';
import type { TrivyOptions } from '../../src/scan/trivy-options.ts';
import { createTrivyScanner } from '../../src/scan/trivy-scanner.ts';

const signal = new AbortController().signal;
const updatedAt = new Date('2026-01-02T03:04:05Z');

/** One vulnerability of each severity in one package of each kind, and some that the installed versions are past. */
const declared: readonly DeclaredVulnerability[] = [
  ...SEVERITIES.flatMap((severity, index): DeclaredVulnerability[] => [
    { ecosystem: 'alpine', release: '3.22', packageName: 'openssl', id: `CVE-2026-10${index}`, severity, fixedVersion: '3.5.1-r0' },
    { ecosystem: 'debian', release: '12', packageName: 'zlib', id: `CVE-2026-20${index}`, severity, fixedVersion: '1:1.2.13-1' },
    { ecosystem: 'npm', packageName: 'lodash', id: `CVE-2026-30${index}`, severity, fixedVersion: '4.17.21' },
  ]),
  { ecosystem: 'alpine', release: '3.22', packageName: 'openssl', id: 'CVE-2026-110', severity: 'HIGH', fixedVersion: '3.5.0-r0' },
  { ecosystem: 'alpine', release: '3.21', packageName: 'openssl', id: 'CVE-2026-111', severity: 'HIGH', fixedVersion: '9' },
  {
    ecosystem: 'debian',
    release: '12',
    packageName: 'zlib',
    id: 'CVE-2026-210',
    severity: 'LOW',
    fixedVersion: null,
    status: 'will_not_fix',
  },
  { ecosystem: 'debian', release: '12', packageName: 'zlib', id: 'CVE-2026-211', severity: 'LOW', fixedVersion: '1:1.2.11-1' },
  { ecosystem: 'npm', packageName: 'lodash', id: 'GHSA-aaaa-bbbb-cccc', severity: 'MEDIUM', fixedVersion: null },
  { ecosystem: 'npm', packageName: 'lodash', id: 'CVE-2026-311', severity: 'HIGH', fixedVersion: '4.0.0', vulnerableVersions: '<4.0.0' },
];

const openssl = (version: string): Layer => buildLayer({ files: alpineFiles('3.22.0', [{ name: 'openssl', version }]), gzip: true });
const alpine = (name: string): Image =>
  // The label makes each its own image.
  buildImage({ refs: [`docker.io/library/${name}:1`], layers: [openssl('3.5.0-r0')], config: { labels: { name } } });
const targetOf = (image: Image): ScanTarget => ({ imageId: image.id, repoTags: image.refs, repoDigests: [] });

for (const version of ['debian', 'v2'] as const) {
  describe.skipIf(lacksRealPart('trivy') || lacksRealPart(`containerd-${version}`))(`Trivy on containerd (${version})`, () => {
    let containerd: PrivateContainerd;
    let trivy: string;
    let directory: string;
    let cacheDir: string;
    let tmpDir: string;

    beforeAll(async () => {
      const tool = await ensureTrivy();
      if (tool.kind === 'missing') throw new Error(tool.reason);
      trivy = tool.path;
      directory = await mkdtemp(join(tmpdir(), 'trivy-test-'));
      cacheDir = join(directory, 'cache');
      tmpDir = join(directory, 'tmp');
      await writeTrivyDatabase(cacheDir, declareTrivyDatabase(declared, updatedAt));
      containerd = await startContainerd({ version });
    });

    afterEach(async () => {
      await Promise.all(opened.splice(0).map((scanner) => scanner.close()));
      expect(trivyProcesses()).toEqual([]);
      expect(await readdir(tmpDir).catch(() => [])).toEqual([]);
    });

    afterAll(async () => {
      await containerd.stop();
      await rm(directory, { recursive: true });
    });

    const opened: Scanner[] = [];
    const createScanner = (options: Partial<TrivyOptions> = {}): Scanner => {
      const scanner = createTrivyScanner({
        binary: trivy,
        images: { kind: 'containerd', address: containerd.endpoint },
        database: { kind: 'as-is' },
        cacheDir,
        tmpDir,
        memoryLimitBytes: 256 * 1024 * 1024,
        env: process.env,
        now: Date.now,
        graceMs: 2_000,
        ...options,
      });
      opened.push(scanner);
      return scanner;
    };
    const scan = (image: Image, options: Partial<TrivyOptions> = {}): Promise<ScanAttempt> =>
      createScanner(options).scan(targetOf(image), signal);
    const trivyProcesses = (): number[] => listPids().filter((pid) => commandLine(pid).some((text) => text.includes(directory)));
    /** The running scan, once it is in the middle of it. */
    const scanProcess = async (): Promise<number> => {
      for (let attempt = 0; attempt < 200; attempt += 1) {
        const [pid] = listPids().filter(
          (candidate) => commandLine(candidate).includes(cacheDir) && commandLine(candidate).includes('image'),
        );
        // Trivy makes its folder for temporary files as it begins.
        if (pid !== undefined && (await readdir(tmpDir)).length > 0) return pid;
        await sleep(20);
      }
      throw new Error('no scan is running');
    };
    /** As `importImages`, for an image whose layers cannot be unpacked. */
    const importPacked = async (image: Image): Promise<void> => {
      const archive = join(directory, 'packed.tar');
      await writeImageArchive(archive, [image]);
      await containerd.ctr(['images', 'import', '--no-unpack', archive]);
    };
    /** A copy of the cache folder, for a test to damage. */
    const copyOfCache = async (): Promise<string> => {
      const copy = await mkdtemp(join(directory, 'cache-'));
      await cp(cacheDir, copy, { recursive: true });
      return copy;
    };

    describe('probe', () => {
      test('tells version and database', async () => {
        const info = {
          name: 'trivy',
          version: expect.stringMatching(/^0\.\d+\.\d+/) as string,
          databaseUpdatedAt: updatedAt.toISOString(),
          databaseMark: expect.stringMatching(/^[0-9:]+ [0-9:]+$/) as string,
        };
        expect(await createScanner().probe(signal)).toEqual(info);
      });

      test('Trivy missing', async () => {
        await expect(createScanner({ binary: join(directory, 'none') }).probe(signal)).rejects.toMatchObject({ code: 'not-found' });
        await expect(createScanner({ binary: 'trivy', env: { PATH: directory } }).probe(signal)).rejects.toMatchObject({
          code: 'not-found',
        });
      });

      test('something else in its place, printing garbage', async () => {
        await expect(createScanner({ binary: '/bin/echo' }).probe(signal)).rejects.toMatchObject({ code: 'bad-output' });
        await expect(createScanner({ binary: '/bin/false' }).probe(signal)).rejects.toMatchObject({ code: 'crashed' });
      });

      test('no database', async () => {
        await expect(createScanner({ cacheDir: directory }).probe(signal)).rejects.toMatchObject({ code: 'no-database' });
      });

      test.each([0, 4096, 20_480])('a database of which %d bytes are left', async (bytes) => {
        const damaged = await copyOfCache();
        await truncate(join(damaged, 'db', 'trivy.db'), bytes);
        await expect(createScanner({ cacheDir: damaged }).probe(signal)).rejects.toMatchObject({ code: 'bad-database' });
      });

      test.each([1, 3])('a database of schema %d', async (Version) => {
        const damaged = await copyOfCache();
        await writeFile(join(damaged, 'db', 'metadata.json'), JSON.stringify({ Version }));
        await expect(createScanner({ cacheDir: damaged }).probe(signal)).rejects.toMatchObject({ code: 'bad-database' });
      });

      test('a database that cannot be downloaded', async () => {
        const database = { kind: 'download', repositories: ['localhost:1/trivy-db'] } as const;
        const probe = createScanner({ cacheDir: join(directory, 'new'), database, downloadTimeoutMs: 30_000 }).probe(signal);
        await expect(probe).rejects.toMatchObject({ code: expect.stringMatching(/^(?:download-failed|timeout)$/) as string });
      });
    });

    describe('findings', () => {
      const findings = async (image: Image): Promise<string[]> => {
        await importImages(containerd, [image]);
        const attempt = await scan(image);
        if (attempt.kind !== 'scanned') throw new Error(JSON.stringify(attempt));
        expect(attempt.report.imageId).toBe(image.id);
        return attempt.report.findings
          .map(({ id, severity, fixedVersion, status }) => `${id} ${severity} ${fixedVersion ?? '-'} ${status}`)
          .toSorted();
      };
      const ofEachSeverity = (number: number, fixedVersion: string): string[] =>
        SEVERITIES.map((severity, index) => `CVE-2026-${number}${index} ${severity} ${fixedVersion} fixed`);

      test('of each severity in Alpine', async () => {
        expect(await findings(alpine('severities'))).toEqual(ofEachSeverity(10, '3.5.1-r0'));
      });

      test('of each severity in Debian, and one without a fix', async () => {
        const layer = buildLayer({ files: debianFiles('12.5', [{ name: 'zlib', version: '1:1.2.12-1' }]) });
        const image = buildImage({ refs: ['docker.io/library/debian:1'], layers: [layer] });
        expect(await findings(image)).toEqual([...ofEachSeverity(20, '1:1.2.13-1'), 'CVE-2026-210 LOW - will_not_fix']);
      });

      test('of each severity in npm packages, and one without a fix', async () => {
        const image = buildImage({
          refs: ['docker.io/library/npm:1'],
          layers: [buildLayer({ files: npmFiles([{ name: 'lodash', version: '4.17.20' }]) })],
        });
        expect(await findings(image)).toEqual([...ofEachSeverity(30, '4.17.21'), 'GHSA-aaaa-bbbb-cccc MEDIUM - affected']);
      });

      test('none, and the class of each', async () => {
        const layers = [openssl('3.5.1-r0'), buildLayer({ files: npmFiles([{ name: 'lodash', version: '4.17.20' }]) })];
        const image = buildImage({ refs: ['localhost:5000/team/two-classes:1'], layers });
        await importImages(containerd, [image]);
        const attempt = await scan(image);
        const classes = attempt.kind === 'scanned' ? attempt.report.findings.map(({ packageClass }) => packageClass) : [];
        expect(new Set(classes)).toEqual(new Set(['library']));
      });

      test('in spite of settings in the environment', async () => {
        await importImages(containerd, [alpine('settings')]);
        const env = { ...process.env, TRIVY_SEVERITY: 'LOW', TRIVY_IGNORE_UNFIXED: 'true', TRIVY_EXIT_CODE: '1' };
        const attempt = await scan(alpine('settings'), { env });
        expect(attempt).toMatchObject({ kind: 'scanned' });
        expect(attempt.kind === 'scanned' && attempt.report.findings.length).toBe(SEVERITIES.length);
      });

      test('the end of life of an operating system', async () => {
        const image = (release: string): Image => {
          const refs = [`docker.io/library/release:${release}`];
          return buildImage({ refs, layers: [buildLayer({ files: alpineFiles(release, [{ name: 'musl', version: '1' }]) })] });
        };
        await importImages(containerd, [image('3.15.0'), image('3.22.0')]);
        expect(await scan(image('3.15.0'))).toMatchObject({ report: { os: { family: 'alpine', name: '3.15.0', endOfLife: true } } });
        expect(await scan(image('3.22.0'))).toMatchObject({ report: { os: { endOfLife: false } } });
      });

      test('no operating system at all', async () => {
        const image = buildImage({ refs: ['docker.io/library/scratch:1'], layers: [buildLayer({ files: { app: 'x' } })] });
        await importImages(containerd, [image]);
        expect(await scan(image)).toMatchObject({ kind: 'scanned', report: { os: null, findings: [] } });
      });
    });

    describe('names', () => {
      test('by repository digest where there is no tag', async () => {
        const image = alpine('by-digest');
        await importImages(containerd, [image]);
        const repoDigest = await addRepoDigest(containerd, image, 'docker.io/library/by-digest');
        const target = { imageId: image.id, repoTags: [], repoDigests: [repoDigest] };
        expect(await createScanner().scan(target, signal)).toMatchObject({ kind: 'scanned', report: { imageId: image.id } });
      });

      test('a tag that has moved to another image is not accepted, the next name is', async () => {
        const [image, other] = [alpine('moved'), alpine('newer')];
        await importImages(containerd, [image, other]);
        await tagImage(containerd, 'docker.io/library/moved:1', 'docker.io/library/moved:kept');
        await tagImage(containerd, 'docker.io/library/newer:1', 'docker.io/library/moved:1');
        const refused = await scan(image);
        expect(refused).toMatchObject({ kind: 'unscanned', reason: 'report-for-another-image' });
        const names = { imageId: image.id, repoTags: ['docker.io/library/moved:1', 'docker.io/library/moved:kept'], repoDigests: [] };
        expect(await createScanner().scan(names, signal)).toMatchObject({ kind: 'scanned', report: { imageId: image.id } });
      });

      test('an image that is gone, and one that never had a name', async () => {
        expect(await scan(alpine('gone'))).toMatchObject({ kind: 'unscanned', reason: 'no-scannable-name' });
        const nameless = { imageId: alpine('severities').id, repoTags: [], repoDigests: [] };
        expect(await createScanner().scan(nameless, signal)).toMatchObject({ kind: 'unscanned', reason: 'no-scannable-name' });
      });
    });

    describe('images that cannot be scanned', () => {
      test('content missing from the store', async () => {
        const layer = buildLayer({ files: alpineFiles('3.22.0', [{ name: 'missing', version: '1' }]), gzip: true });
        const image = buildImage({ refs: ['docker.io/library/missing:1'], layers: [layer] });
        await importImages(containerd, [image]);
        await deleteLayerContent(containerd, layer.digest);
        expect(await scan(image)).toMatchObject({ kind: 'unscanned', reason: 'content-missing' });
      });

      test('configuration missing from the store', async () => {
        const image = alpine('no-configuration');
        await importImages(containerd, [image]);
        await containerd.ctr(['content', 'rm', image.id]);
        expect(await scan(image)).toMatchObject({ kind: 'unscanned', reason: 'content-missing' });
      });

      test.each([
        ['cut short', (blob: Buffer) => blob.subarray(0, blob.length / 2)],
        ['no gzip', (blob: Buffer) => Buffer.alloc(blob.length, 'no gzip at all ')],
        ['gzip of no tar', () => gzipSync(Buffer.alloc(4_096, 'no tar at all '))],
      ])('a layer that is %s: unparsable, twice alike', async (what, corrupt) => {
        const layer = openssl('3.5.0-r0');
        const blob = corrupt(layer.blob);
        const digest = `sha256:${createHash('sha256').update(blob).digest('hex')}`;
        const image = buildImage({
          refs: [`docker.io/library/corrupt:${what.replaceAll(' ', '-')}`],
          layers: [{ ...layer, blob, digest }],
        });
        await importPacked(image);
        const first = await scan(image);
        expect(first).toMatchObject({
          kind: 'unparsable',
          error: expect.stringContaining('failed to extract the archive') as string,
          scannedName: image.refs[0],
        });
        expect(await scan(image)).toEqual(first);
      });

      test('a Java archive without an index of such', async () => {
        const layer = buildLayer({ files: { ...alpineFiles('3.22.0', []), 'app/app.jar': 'PK' } });
        const image = buildImage({ refs: ['docker.io/library/java:1'], layers: [layer] });
        await importImages(containerd, [image]);
        expect(await scan(image)).toMatchObject({
          kind: 'unscanned',
          reason: 'scan-failed',
          message: expect.stringContaining('Java') as string,
        });
      });

      test('one over which Trivy panics, while it scans others', async () => {
        const image = withoutTimes(alpine('panic'));
        await importPacked(image);
        expect(await scan(image)).toMatchObject({
          kind: 'unscanned',
          reason: 'scan-failed',
          message: expect.stringContaining('panic') as string,
        });
        await importImages(containerd, [alpine('no-panic')]);
        expect(await scan(alpine('no-panic'))).toMatchObject({ kind: 'scanned' });
      });

      test('a temporary filesystem that is full from the start is a fault', async () => {
        const full = join(directory, 'full');
        await mkdir(full);
        execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', full]);
        try {
          await writeFile(join(full, 'filler'), Buffer.alloc(128 * 1024)).catch(() => undefined);
          await expect(scan(alpine('severities'), { tmpDir: full })).rejects.toMatchObject({ code: 'no-work-directory' });
        } finally {
          execFileSync('umount', [full]);
        }
      });

      test('no room for temporary files', async () => {
        await importImages(containerd, [alpine('large')]);
        const small = join(directory, 'small');
        await mkdir(small);
        execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8k', 'tmpfs', small]);
        try {
          const scanner = createScanner({ tmpDir: small });
          expect(await scanner.scan(targetOf(alpine('large')), signal)).toMatchObject({ kind: 'unscanned', reason: 'disk-full' });
          await scanner.close();
          expect(await readdir(small)).toEqual([]);
        } finally {
          execFileSync('umount', [small]);
        }
      });

      test('too little memory', async () => {
        await importImages(containerd, [alpine('memory')]);
        const binary = join(directory, 'little-memory');
        // Less address space than Go reserves at its start, for scans alone.
        await writeFile(binary, `#!/bin/sh\n[ "$1" = image ] && ulimit -v 600000\nexec '${trivy}' "$@"\n`, { mode: 0o755 });
        expect(await scan(alpine('memory'), { binary })).toMatchObject({ kind: 'unscanned', reason: 'out-of-memory' });
      });
    });

    describe('in the middle of a scan', () => {
      // containerd is stopped, so that Trivy waits for it as long as the test needs.
      const whilePaused = async (act: (scanned: Promise<ScanAttempt>) => Promise<void>, abort: AbortSignal = signal): Promise<void> => {
        const scanner = createScanner();
        await scanner.probe(signal);
        containerd.pause();
        try {
          const scanned = scanner.scan(targetOf(alpine('severities')), abort);
          scanned.catch(() => undefined);
          await act(scanned);
        } finally {
          containerd.resume();
        }
      };

      test('hanging: ended at its time, and no process left', async () => {
        await whilePaused(async (scanned) => {
          await expect(scanned).rejects.toMatchObject({ name: 'TimeoutError' });
          expect(trivyProcesses().filter((pid) => commandLine(pid).includes('image'))).toEqual([]);
        }, AbortSignal.timeout(1_000));
      });

      test.each(['SIGKILL', 'SIGTERM'] as const)('killed by %s', async (name) => {
        await whilePaused(async (scanned) => {
          process.kill(await scanProcess(), name);
          expect(await scanned).toMatchObject({ kind: 'unscanned', reason: 'killed' });
        });
      });

      test('the database is gone', async () => {
        const passing = await copyOfCache();
        const scanner = createScanner({ cacheDir: passing });
        await scanner.probe(signal);
        await rm(join(passing, 'db'), { recursive: true });
        await expect(scanner.scan(targetOf(alpine('severities')), signal)).rejects.toMatchObject({ code: 'no-database' });
      });

      test('containerd is gone: a fault, until it is back', async () => {
        const scanner = createScanner();
        await scanner.probe(signal);
        await containerd.kill();
        await expect(scanner.scan(targetOf(alpine('severities')), signal)).rejects.toMatchObject({
          code: 'runtime-unreachable',
          action: 'retry',
        });
        await containerd.restart();
        expect(await scanner.scan(targetOf(alpine('severities')), signal)).toMatchObject({ kind: 'scanned' });
      });
    });

    test('two at once', async () => {
      const images = ['one', 'two', 'three', 'four'].map(alpine);
      await importImages(containerd, images);
      const scanner = createScanner();
      await scanner.probe(signal);
      for (const pair of [images.slice(0, 2), images.slice(2)]) {
        const attempts = await Promise.all(pair.map((image) => scanner.scan(targetOf(image), signal)));
        expect(attempts).toMatchObject(pair.map(({ id }) => ({ kind: 'scanned', report: { imageId: id } })));
      }
    });

    test('leaves the database as it was', async () => {
      expect((await readdir(cacheDir)).toSorted()).toEqual(['db']);
      await writeTrivyDatabase(join(directory, 'again'), declareTrivyDatabase(declared, updatedAt));
      const [used, again] = await Promise.all(
        [cacheDir, join(directory, 'again')].map((folder) => readFile(join(folder, 'db', 'trivy.db'))),
      );
      expect(used?.equals(again ?? Buffer.alloc(0))).toBe(true);
    });
  });
}

/** The image with a history without times, as some builders write it, which Trivy 0.74 cannot read from containerd. */
function withoutTimes(image: Image): Image {
  const digest = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  const config = Buffer.from(JSON.stringify({ ...(JSON.parse(image.config.toString()) as object), history: [{ created_by: 'builder' }] }));
  const manifest = Buffer.from(
    JSON.stringify({
      ...(JSON.parse(image.manifest.toString()) as object),
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digest(config), size: config.length },
    }),
  );
  return { ...image, id: digest(config), config, manifestDigest: digest(manifest), manifest };
}
