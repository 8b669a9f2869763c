import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startContainerd, type PrivateContainerd } from '../../../lab/containerd.ts';
import { buildImage, importImages, listImageIds } from '../../../lab/images.ts';
import { lacksRealPart } from '../../../lab/real-parts.ts';
import { startImageServer } from '../../fakes/image-server.ts';
import { CLI, cliEnvironment } from '../run-cli.ts';

/** Output that nobody reads to its end, or that finds no room: it does not end the removals, and data that is lost is told. */

const IMAGES = 60;
/** Of a filesystem that holds one page: less than any document on that many images. */
const ROOM_BYTES = 4096;

interface ShellResult {
  /** Of the command line itself. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command line with redirections and pipes as a shell does them. */
async function inShell(args: readonly string[], plumbing: string): Promise<ShellResult> {
  const folder = await mkdtemp(join(tmpdir(), 'image-cleaner-shell-'));
  const file = join(folder, 'code');
  try {
    const script = plumbing.replace('CLI', `{ "$@"; echo $? >${file}; }`);
    const child = spawn('/bin/sh', ['-c', script, 'sh', process.execPath, CLI, ...args], {
      env: cliEnvironment(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    await once(child, 'close');
    return { code: Number(await readFile(file, 'utf8')), stdout, stderr };
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe.skipIf(lacksRealPart('containerd-debian'))('output that is cut short does not end the removals', () => {
  let containerd: PrivateContainerd;
  let small: string;
  const images = Array.from({ length: IMAGES }, (_value, at) =>
    buildImage({ refs: [`docker.io/library/many:${String(at)}`], layers: [], config: { labels: { at: String(at) } } }),
  );
  beforeAll(async () => {
    containerd = await startContainerd({ version: 'debian' });
    const folder = await mkdtemp(join(tmpdir(), 'image-cleaner-output-'));
    small = join(folder, 'small');
    await mkdir(small);
  });
  beforeEach(async () => {
    if ((await listImageIds(containerd)).length < IMAGES) await importImages(containerd, images, { unpack: false });
  });
  afterAll(async () => {
    await containerd.stop();
    await rm(join(small, '..'), { recursive: true });
  });
  const clean = (...args: string[]): string[] => ['clean', '--scanner', 'none', '--runtime-endpoint', containerd.endpoint, ...args];
  const onSmallFilesystem = async (work: (file: string) => Promise<void>): Promise<void> => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${String(ROOM_BYTES)}`, 'tmpfs', small]);
    try {
      await work(join(small, 'output'));
    } finally {
      execFileSync('umount', [small]);
    }
  };

  test('a closed pipe: progress and report go to `head -1`, and all is removed', async () => {
    const { code, stdout } = await inShell(clean('--yes', '--concurrency', '1'), 'CLI 2>&1 | head -1');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^containerd \S+: 60 images, 0 containers\n$/);
    expect(await listImageIds(containerd)).toEqual([]);
  });

  test.each([
    ['standard error is closed', '2>&-', 0],
    ['standard output and standard error are closed', '>&- 2>&-', 0],
    ['standard error is on a full filesystem (/dev/full)', '2>/dev/full', 0],
    ['standard output is on a full filesystem (/dev/full)', '>/dev/full', 1],
  ])('%s', async (_what, redirection, code) => {
    const result = await inShell(clean('--yes'), `CLI ${redirection}`);
    expect(result.code).toBe(code);
    if (code === 1) expect(result.stderr).toMatch(/error: standard output was lost: ENOSPC.+\n$/);
    expect(await listImageIds(containerd)).toEqual([]);
  });

  test('standard error is on a filesystem that runs full meanwhile', async () => {
    await onSmallFilesystem(async (file) => {
      const result = await inShell(clean('--yes'), `CLI 2>${file}`);
      expect(result.code).toBe(0);
      expect(result.stdout.trimEnd().split('\n')).toHaveLength(IMAGES + 1);
      expect((await stat(file)).size).toBeLessThanOrEqual(ROOM_BYTES);
      expect(await listImageIds(containerd)).toEqual([]);
    });
  });

  test.each(['table', 'json', 'yaml'])(
    'standard output is on a filesystem with too little room for the whole of it: %s',
    async (format) => {
      await onSmallFilesystem(async (file) => {
        const result = await inShell(clean('-o', format, format === 'table' ? '--yes' : '--dry-run'), `CLI >${file}`);
        expect(result.code).toBe(1);
        expect(result.stderr).toMatch(/error: standard output was lost: ENOSPC.+\n$/);
        // All that there was room for is there.
        expect((await stat(file)).size).toBe(ROOM_BYTES);
        expect(await listImageIds(containerd)).toHaveLength(format === 'table' ? 0 : IMAGES);
      });
    },
  );
});

describe('a closed pipe', { concurrent: true }, () => {
  const images = Array.from({ length: 2_000 }, (_value, at) => {
    return { id: at.toString(16).padStart(64, '0'), repoTags: [`registry.example.com/team/service:${String(at)}`], size: 10n };
  });

  // More than a pipe holds (64 KiB), so that the command line is still writing when its reader goes.
  test.each(['list', 'list -o json', 'list -o yaml', 'clean --dry-run --scanner none'])('ends `%s` quietly, with 0', async (command) => {
    await using server = await startImageServer(images);
    const { code, stdout, stderr } = await inShell([...command.split(' '), '--runtime-endpoint', server.socketPath], 'CLI | head -1');
    expect(code).toBe(0);
    expect(stdout.split('\n')).toHaveLength(2);
    expect(stderr).not.toMatch(/EPIPE|error/);
    expect(server.imageIds()).toHaveLength(images.length);
  });

  test('leaves a run that fails its own code', async () => {
    await using server = await startImageServer(images.slice(0, 100), { removes: false });
    const args = ['clean', '--yes', '--image', '*', '-o', 'json', '--runtime-endpoint', server.socketPath];
    const { code, stderr } = await inShell(args, 'CLI | head -1');
    expect(code).toBe(1);
    expect(stderr).toContain('100/100 failed');
    expect(stderr).not.toContain('EPIPE');
  });
});
