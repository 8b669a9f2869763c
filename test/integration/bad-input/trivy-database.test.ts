import { existsSync } from 'node:fs';
import { cp, mkdtemp, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startContainerd, type PrivateContainerd } from '../../../lab/containerd.ts';
import { buildImage, importImages, listImageIds } from '../../../lab/images.ts';
import { lacksRealPart } from '../../../lab/real-parts.ts';
import { alpineFiles } from '../../../lab/sample-packages.ts';
import { ensureTrivy } from '../../../lab/tools.ts';
import { declareTrivyDatabase, writeTrivyDatabase } from '../../../lab/trivy-database.ts';
import { waitUntil } from '../../../lab/wait-until.ts';
import { parseClean, reasonsByTag, runCli, startCli, type CliResult } from '../run-cli.ts';

/** A vulnerability database that Trivy cannot use: there are no verdicts by it, and nothing is removed. */

describe.skipIf(lacksRealPart('containerd-debian') || lacksRealPart('trivy'))('the vulnerability database', () => {
  let containerd: PrivateContainerd;
  let folder: string;
  let cacheDir: string;
  let trivy: string;
  let before: string[];
  const alpine = (name: string): ReturnType<typeof buildImage> =>
    buildImage({
      refs: [`docker.io/library/${name}:1`],
      layers: [{ files: { ...alpineFiles('3.22.0', [{ name: 'openssl', version: '3.0.0-r0' }]), 'app/name': name } }],
    });
  const openssl = { ecosystem: 'alpine', release: '3.22', packageName: 'openssl', fixedVersion: '9.9.9-r0', severity: 'HIGH' } as const;
  const database = declareTrivyDatabase([{ ...openssl, id: 'CVE-2026-10001' }], new Date('2026-01-01T00:00:00Z'));

  beforeAll(async () => {
    containerd = await startContainerd({ version: 'debian' });
    folder = await mkdtemp(join(tmpdir(), 'image-cleaner-database-'));
    const found = await ensureTrivy();
    if (found.kind === 'missing') throw new Error(found.reason);
    trivy = found.path;
    await importImages(containerd, [alpine('one'), alpine('two'), alpine('three')]);
    before = await listImageIds(containerd);
  });
  beforeEach(async () => {
    cacheDir = await mkdtemp(join(folder, 'cache-'));
    await writeTrivyDatabase(cacheDir, database);
  });
  afterAll(async () => {
    await containerd.stop();
    await rm(folder, { recursive: true });
  });
  const args = (binary: string): string[] => [
    ...['clean', '--yes', '-o', 'json', '--runtime-endpoint', containerd.endpoint, '--skip-db-update', '--concurrency', '1'],
    ...['--trivy', binary, '--trivy-cache-dir', cacheDir],
  ];
  const expectNothingRemoved = async ({ code, stdout, stderr }: CliResult, message: RegExp): Promise<void> => {
    expect({ code, stdout }, stderr).toEqual({ code: 3, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/\nNothing was removed\.\n$/);
    expect(await listImageIds(containerd)).toEqual(before);
  };
  const trivyDb = (): string => join(cacheDir, 'db', 'trivy.db');
  const metadata = (): string => join(cacheDir, 'db', 'metadata.json');

  const cases: [what: string, spoil: () => Promise<unknown>, message: RegExp][] = [
    ['is missing', () => rm(join(cacheDir, 'db'), { recursive: true }), /There is no vulnerability database: \S+ does not exist/],
    ['is missing but for its metadata', () => rm(trivyDb()), /There is no vulnerability database: \S+trivy\.db does not exist/],
    ['has another schema', () => writeFile(metadata(), '{"Version": 1}'), /schema 1, and Trivy needs schema 2 \(\S+metadata\.json\)/],
    ['has metadata that is none', () => writeFile(metadata(), 'garbage'), /metadata cannot be read \(\S+metadata\.json\)/],
    ['is truncated', async () => truncate(trivyDb(), (await stat(trivyDb())).size - 4096), /is damaged \(\S+trivy\.db\)/],
    ['is empty', () => truncate(trivyDb(), 0), /is damaged \(\S+trivy\.db\)/],
    ['is garbage', () => writeFile(trivyDb(), 'garbage '.repeat(4096)), /is damaged \(\S+trivy\.db\)/],
    ['holds no vulnerabilities', () => writeTrivyDatabase(cacheDir, declareTrivyDatabase([])), /holds no vulnerabilities/],
  ];
  test.each(cases)('%s: nothing is removed', async (_what, spoil, message) => {
    await spoil();
    await expectNothingRemoved(await runCli(args(trivy)), message);
  });

  describe('in the middle of the scans', () => {
    let held: string;
    const scanning = (): string => join(folder, 'scanning');
    const go = (): string => join(folder, 'go');
    beforeAll(async () => {
      // The real Trivy, which waits before an image until it may go on.
      held = join(folder, 'held-trivy');
      const wait = `touch ${scanning()}; while [ ! -e ${go()} ]; do sleep 0.02; done`;
      await writeFile(held, `#!/bin/sh\ncase "$1" in image) ${wait} ;; esac\nexec ${trivy} "$@"\n`, { mode: 0o755 });
    });
    beforeEach(() => Promise.all([scanning(), go()].map((path) => rm(path, { force: true }))));
    const meanwhile = async (act: () => Promise<unknown>): Promise<CliResult> => {
      const running = startCli(args(held));
      await waitUntil('a scan is under way', () => Promise.resolve(existsSync(scanning())));
      await act();
      await writeFile(go(), '');
      return running.result;
    };

    test.each([
      ['vanishes', () => rm(join(cacheDir, 'db'), { recursive: true })],
      ['is truncated', async () => truncate(trivyDb(), (await stat(trivyDb())).size - 4096)],
    ])('%s: nothing is removed', async (_what, spoil) => {
      const { code, stderr } = await meanwhile(spoil);
      expect([1, 3], stderr).toContain(code);
      expect(stderr).toMatch(/database/);
      expect(await listImageIds(containerd)).toEqual(before);
    });

    test('is swapped for a newer one that knows of nothing: what that one says holds, or the run is refused', async () => {
      const newer = declareTrivyDatabase([{ ...openssl, packageName: 'other', id: 'CVE-2026-10002' }], new Date('2026-02-01T00:00:00Z'));
      const result = await meanwhile(async () => {
        // As Trivy's own update does it: the files are moved into place.
        await writeTrivyDatabase(join(folder, 'newer'), newer);
        await rename(join(cacheDir, 'db'), join(cacheDir, 'old'));
        await cp(join(folder, 'newer', 'db'), join(cacheDir, 'db'), { recursive: true });
      });
      // No scan has begun before the swap: none finds what only the old one knew.
      if (result.code === 0) expect(new Set(Object.values(reasonsByTag(parseClean(result))))).toEqual(new Set(['keep compliant']));
      else expect(result.stderr).toMatch(/database/);
      expect(await listImageIds(containerd)).toEqual(before);
    });
  });
});
