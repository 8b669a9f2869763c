import { randomBytes } from 'node:crypto';
import { readFile, statfs } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { startContainerd, type PrivateContainerd } from '../../lab/containerd.ts';
import { removeSandbox, runningContainer, type ContainerInPod } from '../../lab/containers.ts';
import { buildImage, importImages, listImages, removeImages, type Image } from '../../lab/images.ts';
import { lacksRealPart } from '../../lab/real-parts.ts';
import { busyboxLayer, RUN_UNTIL_STOPPED } from '../../lab/sample-images.ts';
import { waitUntil } from '../../lab/wait-until.ts';
import { newHistory, parseClean, reasonsByTag, runCli, startCli, type CliResult } from './run-cli.ts';

/** What one run knows of those before it, on a real containerd. */

const image = (name: string, content: string | Buffer = name): Image =>
  buildImage({ refs: [`docker.io/library/${name}:1`], layers: [{ files: { 'app/content': content } }] });

const imageHistorySchema = z.array(
  z.looseObject({
    runId: z.number(),
    outcome: z.string(),
    message: z.string(),
    runStartedAt: z.iso.datetime(),
    removal: z.looseObject({ state: z.string(), at: z.iso.datetime(), reclaimedBytes: z.number() }).nullable(),
  }),
);

describe.skipIf(lacksRealPart('containerd-v2'))('what runs remember', () => {
  let containerd: PrivateContainerd;
  let history: string;
  const containers: ContainerInPod[] = [];
  const cli = (command: string, ...args: string[]): Promise<CliResult> => runCli([command, '--history', history, '-o', 'json', ...args]);
  const clean = (...args: string[]): Promise<CliResult> =>
    cli('clean', '--runtime-endpoint', containerd.endpoint, '--scanner', 'none', '--yes', ...args);
  const tags = async (): Promise<string[]> => (await listImages(containerd)).flatMap(({ repoTags }) => repoTags).sort();

  const recordedRuns = async (): Promise<number> => z.array(z.unknown()).parse(JSON.parse((await cli('history')).stdout)).length;

  beforeAll(async () => {
    containerd = await startContainerd({ version: 'v2' });
  });
  beforeEach(() => {
    history = newHistory();
  });
  afterEach(async () => {
    // Of a test that failed meanwhile, so that no other does for it.
    containerd.resume();
    for (const { sandbox } of containers.splice(0)) await removeSandbox(containerd, sandbox);
    await removeImages(containerd);
  });
  afterAll(() => containerd.stop());

  test('when, why and how many bytes, for an image removed twelve runs ago, by tag, id and beginning of the id', async () => {
    const old = image('old', randomBytes(1 << 20));
    await importImages(containerd, [old, image('kept')]);
    const first = parseClean(await clean('--exclude', 'kept'));
    for (let run = 0; run < 12; run += 1) expect((await clean('--exclude', 'kept')).code).toBe(0);
    expect(await tags()).toEqual(['docker.io/library/kept:1']);
    for (const name of ['old:1', 'docker.io/library/old:1', old.id, old.id.slice(7, 19)]) {
      const { code, stdout } = await cli('history', '--image', name);
      expect(code).toBe(0);
      const [decision, ...others] = imageHistorySchema.parse(JSON.parse(stdout));
      expect(others).toEqual([]);
      expect(decision).toMatchObject({ runId: 1, outcome: 'remove', message: 'no container uses it', removal: { state: 'removed' } });
      expect(decision?.removal?.reclaimedBytes).toBe(first.decisions.find(({ imageId }) => imageId === old.id)?.estimatedBytes);
      expect(decision?.removal?.reclaimedBytes).toBeGreaterThan(1 << 20);
    }
    const { stdout } = await runCli(['history', '--image', 'kept:1', '--history', history]);
    // Thirteen runs alike are one line.
    expect(stdout.trim().split('\n')).toHaveLength(2);
    expect(stdout).toMatch(/^1-13 .* kept .*excluded by "kept"/m);
  });

  test('a run, by its number; one that is not there, and an image that was never seen', async () => {
    await importImages(containerd, [image('one')]);
    await clean();
    const { code, stdout } = await runCli(['history', '1', '--history', history]);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/removed +docker\.io\/library\/one:1 .*no container uses it/)]);
    expect(await cli('history', '2')).toMatchObject({ code: 1, stderr: expect.stringContaining('the history has no run 2') as string });
    const unknown = await cli('history', '--image', 'never:1');
    expect(unknown).toMatchObject({ code: 1, stderr: expect.stringContaining('knows no image named "never:1"') as string });
  });

  test('an image stays until it is as old as --min-age, and goes when unused for longer than --max-age', async () => {
    await importImages(containerd, [image('aging')]);
    expect(reasonsByTag(parseClean(await clean('--min-age', '1h')))).toEqual({ 'docker.io/library/aging:1': 'keep too-young' });
    expect(reasonsByTag(parseClean(await clean('--max-age', '1h')))).toEqual({ 'docker.io/library/aging:1': 'keep compliant' });
    expect(await tags()).toEqual(['docker.io/library/aging:1']);
    // Seen at the first run, which is longer than a millisecond ago.
    expect(reasonsByTag(parseClean(await clean('--max-age', '1ms')))).toEqual({ 'docker.io/library/aging:1': 'remove expired' });
    expect(await tags()).toEqual([]);
  });

  test('an image that was in use counts as unused from the last run that saw it in use', async () => {
    const busybox = await busyboxLayer();
    await importImages(containerd, [
      buildImage({
        refs: ['docker.io/library/shop:1'],
        layers: [busybox, { files: { shop: '1' } }],
        config: { entrypoint: RUN_UNTIL_STOPPED },
      }),
      image('idle'),
    ]);
    const shop = await runningContainer(containerd, { image: 'docker.io/library/shop:1' });
    await clean('--dry-run');
    const started = performance.now();
    await waitUntil('some age', () => Promise.resolve(performance.now() - started > 12_000));
    await clean('--dry-run');
    await removeSandbox(containerd, shop.sandbox);
    // Both were first seen longer ago than that; only one of them has not been in use since. A busy machine takes seconds to come here.
    const reasons = reasonsByTag(parseClean(await clean('--max-age', '12s')));
    expect(reasons).toMatchObject({ 'docker.io/library/idle:1': 'remove expired', 'docker.io/library/shop:1': 'keep compliant' });
  });

  test('over --disk-high the least recently used images go first, down to --disk-low', async () => {
    // Large beside what else writes to the disk meanwhile. On it, an image is twice that: compressed and unpacked.
    const size = 16 << 20;
    await importImages(containerd, [image('oldest', randomBytes(size))]);
    await clean('--dry-run');
    await importImages(containerd, [image('middle', randomBytes(size))]);
    await clean('--dry-run');
    await importImages(containerd, [image('newest', randomBytes(size))]);
    await clean('--dry-run');
    const { blocks, bavail, bsize } = await statfs(containerd.place.root);
    const used = (blocks - bavail) * bsize;
    // The oldest and half of the next.
    const result = parseClean(await clean('--disk-high', String(used - size), '--disk-low', String(used - 3 * size)));
    expect(reasonsByTag(result)).toMatchObject({
      'docker.io/library/oldest:1': 'remove disk-pressure',
      'docker.io/library/middle:1': 'remove disk-pressure',
      'docker.io/library/newest:1': 'keep compliant',
    });
    expect(await tags()).toEqual(['docker.io/library/newest:1']);
  });

  test('two runs at once: the second is refused with who holds the history, and removes nothing', async () => {
    await importImages(containerd, [image('one')]);
    // The first is held in the middle of its run: the runtime does not answer.
    const first = startCli(['clean', '--history', history, '--runtime-endpoint', containerd.endpoint, '--scanner', 'none', '--yes']);
    containerd.pause();
    await waitUntil('the first run is on record', async () => (await recordedRuns()) > 0);
    const second = await clean();
    containerd.resume();
    expect(second.code).toBe(3);
    expect(second.stderr).toContain(`process ${String(first.child.pid)}`);
    expect((await first.result).code).toBe(0);
    expect(await tags()).toEqual([]);
    expect((await clean()).code).toBe(0);
  });

  test('a dry run beside a run reads and remembers, and is no run on record', async () => {
    await importImages(containerd, [image('one')]);
    expect((await clean('--dry-run')).code).toBe(0);
    expect(JSON.parse((await cli('history')).stdout)).toEqual([]);
    expect(await tags()).toEqual(['docker.io/library/one:1']);
  });

  test('the audit log has a line for each removal, each with the hash of the line before', async () => {
    await importImages(containerd, [image('one'), image('two')]);
    const auditLog = `${history}.audit`;
    await clean('--audit-log', auditLog);
    const lines = (await readFile(auditLog, 'utf8')).trim().split('\n');
    expect(lines).toHaveLength(2);
    const entries = lines.map((line) =>
      z.looseObject({ runId: z.number(), outcome: z.string(), repoTags: z.array(z.string()) }).parse(JSON.parse(line)),
    );
    expect(entries.flatMap(({ repoTags }) => repoTags).sort()).toEqual(['docker.io/library/one:1', 'docker.io/library/two:1']);
    expect(entries.map(({ runId, outcome }) => [runId, outcome])).toEqual([
      [1, 'removed'],
      [1, 'removed'],
    ]);
    expect((await runCli(['verify-audit-log', auditLog])).code).toBe(0);
  });
});
