import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startContainerd, type PrivateContainerd } from '../../../lab/containerd.ts';
import { createdContainer, removeSandbox, type ContainerInPod } from '../../../lab/containers.ts';
import { buildImage, importImages, listImageIds, listImages, removeImages, removeName, tagImage, type Image } from '../../../lab/images.ts';
import { lacksRealPart } from '../../../lab/real-parts.ts';
import { startImageServer } from '../../fakes/image-server.ts';
import { parseClean, reasonsByTag, runCli, type CliResult } from '../run-cli.ts';

/** Names that no registry gives, no name at all, and names that are not one to one with images. */

const ESCAPES = 'x\u001b[31m\u001b]0;title\u0007\u009b2J';
const DIRECTION_MARKS = 'a\u202egpj.\u2066b\u200fc\ufeff';
/** Besides line breaks, which the output itself has. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

const image = (ref: string, content = ref): Image => buildImage({ refs: [ref], layers: [{ files: { 'app/content': content } }] });

describe.skipIf(lacksRealPart('containerd-v2'))('on a real containerd', () => {
  let containerd: PrivateContainerd;
  const containers: ContainerInPod[] = [];
  const clean = (...args: string[]): Promise<CliResult> =>
    runCli(['clean', '--yes', '--scanner', 'none', '-o', 'json', '--runtime-endpoint', containerd.endpoint, ...args]);
  beforeAll(async () => {
    containerd = await startContainerd({ version: 'v2' });
  });
  afterEach(async () => {
    for (const { sandbox } of containers.splice(0)) await removeSandbox(containerd, sandbox);
    await removeImages(containerd);
  });
  afterAll(() => containerd.stop());

  test.each([
    ['of 4 KB', `docker.io/library/${'a'.repeat(4096)}:1`],
    ['with control characters and escape sequences', `docker.io/library/${ESCAPES}:1`],
    ['with right-to-left marks', `docker.io/library/${DIRECTION_MARKS}:1`],
  ])('an image with a name %s, which containerd takes and the CRI leaves out, goes by its id', async (_what, name) => {
    const odd = image(name);
    await importImages(containerd, [odd], { waitForNames: false });
    const kept = await clean('--exclude', odd.id);
    expect(kept.code).toBe(0);
    expect(await listImageIds(containerd)).toEqual([odd.id]);
    const { code, stdout, stderr } = await clean();
    expect(code).toBe(0);
    expect((stdout + stderr).replaceAll('\n', '')).not.toMatch(UNPRINTABLE);
    expect(await listImageIds(containerd)).toEqual([]);
  });

  test('an image with the longest name that there is: a path of 255 characters and a tag of 128', async () => {
    const name = `registry.example.com/${'p'.repeat(255)}:${'t'.repeat(128)}`;
    const long = image(name);
    await importImages(containerd, [long]);
    expect((await clean('--exclude', name)).code).toBe(0);
    expect(await listImageIds(containerd)).toEqual([long.id]);
    expect((await clean('--image', name)).code).toBe(0);
    expect(await listImageIds(containerd)).toEqual([]);
  });

  test('images without a name: each is decided on, and goes by its id', async () => {
    const [one, two, kept] = [image('docker.io/library/one:1'), image('docker.io/library/two:1'), image('docker.io/library/kept:1')];
    await importImages(containerd, [one, two, kept]);
    for (const nameless of [one, two]) await removeName(containerd, nameless.refs[0] ?? '');
    expect((await listImages(containerd)).filter(({ repoTags }) => repoTags.length === 0)).toHaveLength(2);
    const result = await clean('--exclude', 'kept');
    expect(reasonsByTag(parseClean(result))).toEqual({
      [one.id]: 'remove unused',
      [two.id]: 'remove unused',
      'docker.io/library/kept:1': 'keep excluded',
    });
    expect(await listImageIds(containerd)).toEqual([kept.id]);
  });

  test('two images with one name, since the tag has moved: the name means the one that has it now', async () => {
    const [old, now] = [image('docker.io/library/app:1', 'old'), image('docker.io/library/other:1', 'new')];
    await importImages(containerd, [old, now]);
    await tagImage(containerd, 'docker.io/library/other:1', 'docker.io/library/app:1');
    expect((await clean('--image', 'app:1')).code).toBe(0);
    expect(await listImageIds(containerd)).toEqual([old.id]);
  });

  test('two images with one name: the one that a container runs from stays, though the name is no longer its own', async () => {
    const [old, now] = [image('docker.io/library/app:1', 'old'), image('docker.io/library/other:1', 'new')];
    await importImages(containerd, [old, now]);
    containers.push(await createdContainer(containerd, { image: 'docker.io/library/app:1', command: ['/nothing'] }));
    await tagImage(containerd, 'docker.io/library/other:1', 'docker.io/library/app:1');
    const result = await clean('--image', '*');
    expect(result.code).toBe(0);
    expect(await listImageIds(containerd)).toContain(old.id);
  });

  test('two names of one image: an exclusion of either keeps it, and without one both names are gone', async () => {
    const two = image('docker.io/library/first:1');
    await importImages(containerd, [two]);
    await tagImage(containerd, 'docker.io/library/first:1', 'ghcr.io/acme/second:1');
    for (const name of ['first', 'ghcr.io/acme/*']) {
      expect((await clean('--exclude', name)).code).toBe(0);
      expect(await listImageIds(containerd)).toEqual([two.id]);
    }
    expect((await clean('--image', 'second:1')).code).toBe(0);
    expect(await listImageIds(containerd)).toEqual([two.id]);
    expect((await clean('--image', 'ghcr.io/acme/second:1')).code).toBe(0);
    expect(await listImageIds(containerd)).toEqual([]);
    expect(await containerd.ctr(['images', 'ls', '-q'])).not.toMatch(/first|second/);
  });

  test('a pod and a container whose names hold escape sequences: they are shown as such', async () => {
    await importImages(containerd, [image('docker.io/library/used:1')]);
    containers.push(
      await createdContainer(containerd, {
        image: 'docker.io/library/used:1',
        command: ['/nothing'],
        name: ESCAPES,
        pod: { name: DIRECTION_MARKS, namespace: 'web' },
      }),
    );
    for (const output of ['table', 'json', 'yaml']) {
      const { code, stdout, stderr } = await runCli([
        'clean',
        '--yes',
        '--scanner',
        'none',
        '-o',
        output,
        '--runtime-endpoint',
        containerd.endpoint,
      ]);
      expect(code).toBe(0);
      expect(stdout).toContain('gpj.');
      expect((stdout + stderr).replaceAll('\n', '')).not.toMatch(UNPRINTABLE);
    }
  });
});

describe('on a runtime that lists what no containerd does', { concurrent: true }, () => {
  test.each([
    ['of 4 KB', `docker.io/library/${'a'.repeat(4096)}:1`],
    ['with control characters and escape sequences', `docker.io/library/${ESCAPES}:1`],
    ['with a line break', 'docker.io/library/a\nremove b:1'],
    ['with right-to-left marks', `docker.io/library/${DIRECTION_MARKS}:1`],
    ['that is empty, which is none', ''],
  ])('a name %s: one line for each image, nothing that a terminal obeys, and it goes', async (_what, name) => {
    const ids = ['a', 'b'].map((digit) => digit.repeat(64));
    await using server = await startImageServer(ids.map((id, at) => ({ id, repoTags: at === 0 ? [name] : [], size: 10n })));
    const run = (...args: string[]): Promise<CliResult> => runCli([...args, '--runtime-endpoint', server.socketPath]);
    for (const args of [['list'], ['clean', '--dry-run', '--scanner', 'none']]) {
      const table = await run(...args);
      expect(table.code).toBe(0);
      expect(table.stdout.trimEnd().split('\n')).toHaveLength(3);
      expect((table.stdout + table.stderr).replaceAll('\n', '')).not.toMatch(UNPRINTABLE);
      expect(Math.max(...table.stdout.split('\n').map((line) => line.length))).toBeLessThan(300);
    }
    const { code, stdout, stderr } = await run('clean', '--yes', '--scanner', 'none', '-o', 'json');
    expect(code).toBe(0);
    expect(parseClean({ code, stdout, stderr }).decisions.map(({ repoTags }) => repoTags)).toContainEqual(name === '' ? [] : [name]);
    expect((stdout + stderr).replaceAll('\n', '')).not.toMatch(UNPRINTABLE);
    expect(server.imageIds()).toEqual([]);
  });

  test('one name that two images claim: to exclude it keeps both, to list it removes both', async () => {
    const ids = ['a', 'b'].map((digit) => digit.repeat(64));
    await using server = await startImageServer(ids.map((id) => ({ id, repoTags: ['docker.io/library/app:1'], size: 10n })));
    const clean = (...args: string[]): Promise<CliResult> => runCli(['clean', '--yes', ...args, '--runtime-endpoint', server.socketPath]);
    expect((await clean('--scanner', 'none', '--exclude', 'app:1')).code).toBe(0);
    expect(server.imageIds()).toEqual(ids);
    expect((await clean('--image', 'app:1')).code).toBe(0);
    expect(server.imageIds()).toEqual([]);
  });
});
