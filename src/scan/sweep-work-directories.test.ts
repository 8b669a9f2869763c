import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { processStart } from './process-start.ts';
import { sweepWorkDirectories } from './sweep-work-directories.ts';
import { withWorkDirectory } from './work-directory.ts';

/** No process has it: the kernel's own limit is lower. */
const NO_PID = 4_194_305;

let directory: string;
let tmpDir: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sweep-work-directories-'));
  tmpDir = join(directory, 'tmp');
  await mkdir(tmpDir);
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

async function leave(name: string): Promise<void> {
  await mkdir(join(tmpDir, name, 'trivy-1', 'layer'), { recursive: true });
  await writeFile(join(tmpDir, name, 'trivy-1', 'layer', 'file'), 'x');
}

describe('sweepWorkDirectories', () => {
  it('removes the folder of a process that was killed', async () => {
    // As a run that SIGKILL ends in the middle of a scan.
    const script = `
      const { withWorkDirectory } = await import(${JSON.stringify(join(import.meta.dirname, 'work-directory.ts'))});
      await withWorkDirectory(${JSON.stringify(tmpDir)}, () => { console.log('made'); return new Promise((resolve) => setTimeout(resolve, 60_000)); });
    `;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    await sweepWorkDirectories(tmpDir);
    expect(await readdir(tmpDir)).toEqual([
      expect.stringMatching(new RegExp(`^image-cleaner-scan-${child.pid ?? 0}-\\d+-[A-Za-z0-9]{6}$`)),
    ]);
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    await sweepWorkDirectories(tmpDir);
    expect(await readdir(tmpDir)).toEqual([]);
  });

  it('ends what still runs in the folder of a process that was killed, and only that', async () => {
    const path = join(tmpDir, `image-cleaner-scan-${NO_PID}-12345-abcdef`);
    await mkdir(path);
    const start = (cwd: string, TMPDIR: string): ChildProcess =>
      spawn('/bin/sh', ['-c', 'echo started; exec sleep 60'], {
        cwd,
        env: { TMPDIR },
        detached: true,
        stdio: ['ignore', 'pipe', 'ignore'],
      });
    const orphan = start(path, path);
    const visitor = start(path, '/tmp');
    await Promise.all([orphan, visitor].map((child) => once(child.stdout ?? child, 'data')));
    const ended = once(orphan, 'exit');
    await sweepWorkDirectories(tmpDir);
    expect(await ended).toEqual([null, 'SIGKILL']);
    expect(await readdir(tmpDir)).toEqual([]);
    expect(visitor.exitCode).toBeNull();
    const left = once(visitor, 'exit');
    visitor.kill('SIGTERM');
    expect(await left).toEqual([null, 'SIGTERM']);
  });

  it('removes those whose process is gone or another one by now', async () => {
    await leave(`image-cleaner-scan-${NO_PID}-12345-abcdef`);
    await leave(`image-cleaner-scan-${process.pid}-12345-abcdef`);
    await sweepWorkDirectories(tmpDir);
    expect(await readdir(tmpDir)).toEqual([]);
  });

  it('leaves one that is in use, and everything else', async () => {
    const others = [
      'image-cleaner-scan-abc',
      'image-cleaner-scan-',
      `image-cleaner-scan-${NO_PID}-unknown-abcdef`,
      `image-cleaner-scan-${NO_PID}-1-abcdef.bak`,
      `image-cleaner-scan-${NO_PID}-1-`,
      `other-image-cleaner-scan-${NO_PID}-1-abcdef`,
      'scan-abcdef',
    ];
    for (const name of others) await leave(name);
    const file = `image-cleaner-scan-${NO_PID}-1-isfile`;
    await writeFile(join(tmpDir, file), '');
    await withWorkDirectory(tmpDir, async (inUse) => {
      await sweepWorkDirectories(tmpDir);
      expect((await readdir(tmpDir)).map((name) => join(tmpDir, name)).toSorted()).toEqual(
        [...others, file]
          .map((name) => join(tmpDir, name))
          .concat(inUse)
          .toSorted(),
      );
      expect(await readdir(join(tmpDir, 'scan-abcdef', 'trivy-1', 'layer'))).toEqual(['file']);
    });
  });

  it('follows no link, neither in such a folder nor in its place', async () => {
    const outside = join(directory, 'outside');
    await mkdir(outside);
    await writeFile(join(outside, 'file'), 'kept');
    const name = `image-cleaner-scan-${NO_PID}-1-abcdef`;
    await leave(name);
    await symlink(outside, join(tmpDir, name, 'link'));
    const link = `image-cleaner-scan-${NO_PID}-1-islink`;
    await symlink(outside, join(tmpDir, link));
    await sweepWorkDirectories(tmpDir);
    expect(await readdir(tmpDir)).toEqual([link]);
    expect(await readFile(join(outside, 'file'), 'utf8')).toBe('kept');
  });

  it.runIf(process.geteuid?.() === 0)("leaves another user's", async () => {
    const name = `image-cleaner-scan-${NO_PID}-1-abcdef`;
    await leave(name);
    await chown(join(tmpDir, name), 65534, 65534);
    await sweepWorkDirectories(tmpDir);
    expect(await readdir(tmpDir)).toEqual([name]);
  });

  it('needs no folder for temporary files', async () => {
    await expect(sweepWorkDirectories(join(directory, 'none'))).resolves.toBeUndefined();
  });
});

describe('processStart', () => {
  it('is the same each time, and tells where no process runs', async () => {
    expect(await processStart(process.pid)).toEqual({ kind: 'running', start: expect.stringMatching(/^\d+$/) as string });
    expect(await processStart(process.pid)).toEqual(await processStart(process.pid));
    expect(await processStart(NO_PID)).toEqual({ kind: 'ended' });
  });

  it('tells apart that it cannot be read, as where a process has no file descriptors left', async () => {
    const script = `
      const { openSync } = await import('node:fs');
      const { processStart } = await import(${JSON.stringify(join(import.meta.dirname, 'process-start.ts'))});
      await processStart(process.pid);
      try { for (;;) openSync('/dev/null'); } catch {}
      console.log(JSON.stringify(await processStart(${process.pid})));
    `;
    const limited = 'ulimit -n 64; exec "$0" --input-type=module --eval "$1"';
    const { stdout } = await promisify(execFile)('/bin/sh', ['-c', limited, process.execPath, script]);
    expect(JSON.parse(stdout)).toEqual({ kind: 'unknown' });
  });
});
