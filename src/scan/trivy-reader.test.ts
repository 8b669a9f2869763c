import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createTrivyReader, type TrivyReader } from './trivy-reader.ts';

const { signal } = new AbortController();
const imageId = `sha256:${'1'.repeat(64)}`;
const target = { imageId, repoTags: ['a:1'], repoDigests: [] };

/** What it reads of real images is a matter of the tests with a real Trivy. */
describe('a reader', () => {
  let directory: string;
  let reader: TrivyReader | null;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'trivy-reader-'));
    reader = null;
  });
  afterEach(async () => {
    await reader?.close();
    await rm(directory, { recursive: true });
  });

  /** `image`: what this Trivy does to scan an image. There is no database. */
  async function readerOf(image: string): Promise<TrivyReader> {
    const binary = join(directory, 'trivy');
    const script = `#!/bin/sh\ncase "$1" in version) echo '{"Version":"0.74.0"}' ;; image) ${image} ;; *) exit 1 ;; esac\n`;
    await writeFile(binary, script, { mode: 0o755 });
    reader = createTrivyReader({
      binary,
      images: { kind: 'containerd', address: '/run/x.sock' },
      cacheDir: join(directory, 'cache'),
      tmpDir: join(directory, 'tmp'),
      memoryLimitBytes: null,
      env: { PATH: '/usr/bin:/bin' },
      now: () => 0,
      graceMs: 200,
    });
    return reader;
  }

  test('needs no database, and tells its version', async () => {
    expect(await (await readerOf('exit 1')).probe(signal)).toMatchObject({ name: 'trivy', version: '0.74.0' });
  });

  test('what its Trivy says of the image is no verdict: without what it has read there is none', async () => {
    const report = JSON.stringify({ SchemaVersion: 2, Metadata: { ImageID: imageId } });
    expect(await (await readerOf(`echo '${report}'`)).read(target, signal)).toEqual({
      kind: 'unscanned',
      reason: 'scan-failed',
      message: 'a piece of what Trivy read of it went unseen',
    });
  });

  test('an image of another id is not the one that was asked for', async () => {
    const report = JSON.stringify({ SchemaVersion: 2, Metadata: { ImageID: `sha256:${'2'.repeat(64)}` } });
    expect(await (await readerOf(`echo '${report}'`)).read(target, signal)).toMatchObject({ reason: 'report-for-another-image' });
  });

  test('a Trivy that does not work is a fault', async () => {
    const broken = await readerOf('exit 0');
    await expect(broken.read(target, signal)).rejects.toMatchObject({ name: 'ScannerFault', code: 'bad-output' });
  });
});
