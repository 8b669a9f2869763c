import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startContainerd, type PrivateContainerd } from '../../lab/containerd.ts';
import { demoDatabase } from '../../lab/demo-images.ts';
import { buildImage, importImages, listImages } from '../../lab/images.ts';
import { lacksRealPart } from '../../lab/real-parts.ts';
import { alpineFiles, npmFiles } from '../../lab/sample-packages.ts';
import { ensureTrivy } from '../../lab/tools.ts';
import { declareTrivyDatabase, writeTrivyDatabase } from '../../lab/trivy-database.ts';
import { newHistory, parseClean, reasonsByTag, runCli, type CliResult } from './run-cli.ts';

/** An image is read once, whatever runs come after: counted by what Trivy itself was started for. */
describe.skipIf(lacksRealPart('containerd-v2') || lacksRealPart('trivy'))('verdicts without scanning', () => {
  let containerd: PrivateContainerd;
  let folder: string;
  let history: string;
  /** Stands before the real Trivy and writes down what it is started for. */
  let trivy: string;
  const clean = (...args: string[]): Promise<CliResult> =>
    runCli([
      ...['clean', '--runtime-endpoint', containerd.endpoint, '--history', history, '-o', 'json'],
      ...['--trivy', trivy, '--trivy-cache-dir', folder, '--skip-db-update', ...args],
    ]);
  /** Trivy's subcommands since the last time. */
  const startedFor = async (): Promise<string[]> => {
    const words = (await readFile(join(folder, 'log'), 'utf8').catch(() => '')).split('\n').filter((word) => word !== '');
    await rm(join(folder, 'log'), { force: true });
    return words;
  };
  const of = (word: string, words: readonly string[]): number => words.filter((each) => each === word).length;

  const NAMES = ['vulnerable', 'fixed', 'library'].map((name) => `docker.io/library/${name}:1`);

  beforeAll(async () => {
    containerd = await startContainerd({ version: 'v2' });
    folder = await mkdtemp(join(tmpdir(), 'image-cleaner-verdicts-'));
    const found = await ensureTrivy(() => undefined);
    if (found.kind === 'missing') throw new Error(found.reason);
    trivy = join(folder, 'trivy');
    await writeFile(trivy, `#!/bin/sh\necho "$1" >> '${join(folder, 'log')}'\nexec '${found.path}' "$@"\n`);
    await chmod(trivy, 0o755);
    await importImages(containerd, [
      buildImage({ refs: [NAMES[0] ?? ''], layers: [{ files: alpineFiles('3.22.0', [{ name: 'openssl', version: '3.0.0-r0' }]) }] }),
      buildImage({ refs: [NAMES[1] ?? ''], layers: [{ files: alpineFiles('3.22.0', [{ name: 'openssl', version: '3.5.1-r0' }]) }] }),
      buildImage({ refs: [NAMES[2] ?? ''], layers: [{ files: npmFiles([{ name: 'lodash', version: '4.17.20' }]) }] }),
    ]);
  });
  beforeEach(async () => {
    history = newHistory();
    await writeTrivyDatabase(folder, demoDatabase());
    await startedFor();
  });
  afterAll(async () => {
    await containerd.stop();
    await rm(folder, { recursive: true });
  });

  test('a second run, and one with another severity, start no Trivy at all', async () => {
    const first = parseClean(await clean('--dry-run'));
    expect(of('image', await startedFor())).toBe(3);
    const second = await clean('--dry-run');
    expect(parseClean(second).decisions).toEqual(first.decisions);
    expect(second.stderr).toContain('Verdicts known from earlier scans: 3');
    const critical = parseClean(await clean('--dry-run', '--severity', 'CRITICAL'));
    expect(reasonsByTag(critical)).toMatchObject({ [NAMES[0] ?? '']: 'remove vulnerable', [NAMES[2] ?? '']: 'keep compliant' });
    expect(await startedFor()).toEqual([]);
  });

  test('a new vulnerability database judges what was read before: no image is read again, and its findings count', async () => {
    expect(reasonsByTag(parseClean(await clean('--dry-run')))).toMatchObject({ [NAMES[1] ?? '']: 'keep compliant' });
    await startedFor();
    const later = declareTrivyDatabase(
      [{ ecosystem: 'alpine', release: '3.22', packageName: 'openssl', id: 'CVE-2026-40001', fixedVersion: '3.6.0-r0', severity: 'HIGH' }],
      new Date(Date.now() + 60_000),
    );
    await writeTrivyDatabase(folder, later);
    const { decisions } = parseClean(await clean('--dry-run'));
    expect(decisions.filter(({ outcome }) => outcome === 'remove').map(({ repoTags, cves }) => [repoTags[0], cves])).toEqual(
      expect.arrayContaining([
        [NAMES[0], ['CVE-2026-40001']],
        [NAMES[1], ['CVE-2026-40001']],
      ]),
    );
    expect(decisions.filter(({ outcome }) => outcome === 'remove')).toHaveLength(2);
    const words = await startedFor();
    expect([of('image', words), of('server', words)]).toEqual([0, 1]);
    // And what was judged again is known from then on.
    await clean('--dry-run');
    expect(await startedFor()).toEqual([]);
  });

  test('without a history each run scans', async () => {
    for (let run = 0; run < 2; run += 1) {
      expect((await clean('--dry-run', '--no-history')).code).toBe(0);
      expect(of('image', await startedFor())).toBe(3);
    }
  });

  test('the history names the vulnerabilities by which an image went', async () => {
    expect((await clean('--yes', '--severity', 'LOW')).code).toBe(0);
    expect((await listImages(containerd)).flatMap(({ repoTags }) => repoTags)).not.toContain(NAMES[2]);
    const { stdout } = await runCli(['history', '--image', NAMES[2] ?? '', '--history', history]);
    expect(stdout).toMatch(/removed .*vulnerable: CVE-2026-30001 \(LOW\)/);
  });
});
