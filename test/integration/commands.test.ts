import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { startContainerd, type PrivateContainerd } from '../../lab/containerd.ts';
import { runningContainer } from '../../lab/containers.ts';
import { demoDatabase, demoImages } from '../../lab/demo-images.ts';
import { importImages, listImageIds } from '../../lab/images.ts';
import { lacksRealPart } from '../../lab/real-parts.ts';
import { ensureTrivy } from '../../lab/tools.ts';
import { writeTrivyDatabase } from '../../lab/trivy-database.ts';
import { runCli, type CliResult } from './run-cli.ts';

/** The commands beside `clean`, through the command line. Bad input is in `bad-input/`. */

describe.skipIf(lacksRealPart('containerd-v2') || lacksRealPart('trivy'))('the commands', () => {
  let containerd: PrivateContainerd;
  let folder: string;
  let scanning: string[];
  let before: string[];
  const run = (...args: string[]): Promise<CliResult> => runCli([...args, '--runtime-endpoint', containerd.endpoint]);

  beforeAll(async () => {
    containerd = await startContainerd({ version: 'v2' });
    folder = await mkdtemp(join(tmpdir(), 'image-cleaner-test-'));
    await writeTrivyDatabase(folder, demoDatabase());
    await importImages(containerd, (await demoImages()).all);
    await runningContainer(containerd, { image: 'docker.io/library/shop:2.1', name: 'shop', pod: { name: 'shop-0', namespace: 'web' } });
    const trivy = await ensureTrivy();
    if (trivy.kind === 'missing') throw new Error(trivy.reason);
    scanning = ['--trivy', trivy.path, '--trivy-cache-dir', folder, '--skip-db-update'];
    before = await listImageIds(containerd);
  });
  afterAll(async () => {
    await containerd.stop();
    await rm(folder, { recursive: true });
  });

  test('list shows every image with its state, as table, JSON and YAML', async () => {
    const table = await run('list');
    expect(table.code).toBe(0);
    expect(table.stdout).toMatch(/docker\.io\/library\/shop:2\.1 +[0-9a-f]{12} +\S+ MiB +in use +1\n/);
    expect(table.stdout).toMatch(/registry\.k8s\.io\/pause:3\.10 .* pinned +0\n/);
    const json = JSON.parse((await run('list', '-o', 'json')).stdout) as { images: { imageId: string }[] };
    expect(json.images.map(({ imageId }) => imageId).sort()).toEqual(before);
    expect(parse((await run('list', '-o', 'yaml')).stdout)).toEqual(json);
  });

  test('the runtime is found by CONTAINER_RUNTIME_ENDPOINT', async () => {
    const { code, stdout } = await runCli(['list', '-o', 'json'], { CONTAINER_RUNTIME_ENDPOINT: containerd.endpoint });
    expect(code).toBe(0);
    expect((JSON.parse(stdout) as { images: unknown[] }).images).toHaveLength(before.length);
  });

  test('explain shows the rule that holds, and why those before it do not', async () => {
    const vulnerable = await run('explain', 'web:1.0', ...scanning);
    expect(vulnerable.code).toBe(0);
    expect(vulnerable.stdout).toMatch(/ 1\. no container in any state uses it/);
    expect(vulnerable.stdout).toMatch(/10\. REMOVE: vulnerable: CVE-2026-10001 \(CRITICAL\)/);
    expect(vulnerable.stdout).toContain('CVE-2026-10001 CRITICAL openssl 3.0.0-r0, fixed in 3.0.1-r0');
    // Only the one image is scanned.
    expect(vulnerable.stderr).toContain('Scanning 1 image ');
    const inUse = await run('explain', 'shop:2.1', '--scanner', 'none');
    expect(inUse.stdout).toMatch(/ 1\. KEEP: in use by container web\/shop-0\/shop \(running\)/);
  });

  test('explain says where no run does by itself what the rules say', async () => {
    const config = async (name: string, enabled: boolean): Promise<string> => {
      const path = join(folder, name);
      const components = { collector: { enabled }, scanner: { enabled: false } };
      await writeFile(path, JSON.stringify({ apiVersion: 'eraser.sh/v1alpha3', kind: 'EraserConfig', components }));
      return path;
    };
    const [off, on] = [await config('off.json', false), await config('on.json', true)];
    const because = `--config ${off}: components.collector.enabled: not true, which switches automatic cleaning off.`;
    const explained = await run('explain', 'web:1.0', '--config', off);
    expect(explained.stdout).toContain(`11. REMOVE: no container uses it`);
    expect(explained.stdout).toContain(`But no run does so by itself: ${because}`);
    expect((await run('explain', 'shop:2.1', '--config', off)).stdout).not.toContain('by itself');
    const documentOf = async (...args: string[]): Promise<unknown> =>
      JSON.parse((await run('explain', 'web:1.0', '-o', 'json', ...args)).stdout);
    expect(await documentOf('--config', off)).toMatchObject([{ outcome: 'remove', notAutomatic: because }]);
    for (const args of [
      ['--config', on],
      ['--config', off, '--image', 'web:1.0'],
      ['--scanner', 'none'],
    ])
      expect(await documentOf(...args)).toMatchObject([{ outcome: 'remove', notAutomatic: null }]);
  });

  test('explain takes the beginning of an id, and says so when nothing has that name', async () => {
    const id = before[0]?.slice(7, 19) ?? '';
    expect((await run('explain', id, '--scanner', 'none')).stdout).toContain(before[0]);
    const unknown = await run('explain', 'nothing:1', '--scanner', 'none');
    expect(unknown).toMatchObject({ code: 1, stdout: '' });
    expect(unknown.stderr).toContain('no image on this node is named "nothing:1"');
  });

  test('scan shows the findings of an image in use too', async () => {
    const { code, stdout } = await run('scan', 'shop:2.1', 'proxy:9', ...scanning);
    expect(code).toBe(0);
    expect(stdout).toMatch(/shop:2\.1\n +alpine 3\.22\.0: 1 CRITICAL, 1 MEDIUM\n/);
    expect(stdout).toMatch(/CVE-2026-10001 +CRITICAL +openssl +3\.0\.0-r0 +3\.0\.1-r0/);
    expect(stdout).toMatch(/proxy:9\n +debian 12\.5: nothing that the policy counts/);
    const documents = JSON.parse((await run('scan', 'shop:2.1', ...scanning, '-o', 'json')).stdout) as Record<string, unknown>[];
    const { images } = JSON.parse((await run('list', '-o', 'json')).stdout) as { images: Record<string, unknown>[] };
    const shop = images.find(({ repoTags }) => String(repoTags) === 'docker.io/library/shop:2.1');
    // Each document names an image in the same way.
    expect(documents).toMatchObject([
      { imageId: shop?.['imageId'], repoTags: shop?.['repoTags'], sizeBytes: shop?.['sizeBytes'], result: 'scanned' },
    ]);
    expect(documents[0]).not.toHaveProperty('image');
  });

  test('nothing of this removed an image', async () => {
    expect(await listImageIds(containerd)).toEqual(before);
  });
});

describe('without a container runtime', () => {
  test('--help and --version need none', async () => {
    const help = await runCli(['clean', '--help']);
    expect(help.code).toBe(0);
    expect(help.stdout).toContain('Examples:');
    expect((await runCli(['--help'])).stdout).toContain('Exit codes:');
    expect(await runCli(['--version'])).toMatchObject({ code: 0, stdout: '0.1.0\n' });
  });
});
