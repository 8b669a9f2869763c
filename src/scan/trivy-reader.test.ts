import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
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

  test('an image that it cannot parse is told as that, with the name that was read', async () => {
    const layer = `failed to analyze layer (sha256:${'3'.repeat(64)})`;
    const problem = 'walk error: failed to extract the archive: unexpected EOF';
    const chain = `run error: image scan error: scan error: scan failed: failed analysis: analyze error: pipeline error: ${layer}: ${problem}`;
    const line = ['2026-11-22T10:00:00Z', 'FATAL', 'Fatal error', chain].join('\\t');
    const attempt = await (await readerOf(`printf '${line}\\n' >&2; exit 1`)).read(target, signal);
    expect(attempt).toMatchObject({ kind: 'unparsable', error: expect.stringContaining('unexpected EOF') as string, scannedName: 'a:1' });
  });

  test('closing leaves nobody there whom its Trivy has talked to', async () => {
    const of = await readerOf(`echo "$@" > '${directory}/arguments'; exit 1`);
    await of.read(target, signal);
    const [url = ''] = /http:\/\/127\.0\.0\.1:\d+/.exec(await readFile(join(directory, 'arguments'), 'utf8')) ?? [];
    await (await fetch(url)).body?.cancel();
    await of.close();
    await expect(fetch(url)).rejects.toThrow();
  });

  test('a Trivy that does not work is a fault', async () => {
    const broken = await readerOf('exit 0');
    await expect(broken.read(target, signal)).rejects.toMatchObject({ name: 'ScannerFault', code: 'bad-output' });
  });
});
