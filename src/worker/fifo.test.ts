import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { buildMkfifoHelper, type MkfifoHelper } from '../../test/fakes/mkfifo-helper.ts';
import { SYSTEM_TIMING } from '../platform/timing.ts';
import { makeFifoWith } from './make-fifo.ts';
import { readFifo } from './read-fifo.ts';
import { writeFifo } from './write-fifo.ts';

/** Named pipes of the kernel, and at their other ends programs of their own. */
describe('named pipes', () => {
  let helper: MkfifoHelper;
  let folder: string;
  let path: string;
  const children: ChildProcess[] = [];
  const never = new AbortController().signal;
  const options = { timing: SYSTEM_TIMING, signal: never, mostBytes: 64 * 1024 * 1024 };

  beforeAll(async () => {
    helper = await buildMkfifoHelper();
  }, 120_000);
  afterAll(() => helper.remove());
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'image-cleaner-fifo-'));
    path = join(folder, 'pipe');
  });
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    await rm(folder, { recursive: true });
  });

  const make = (): Promise<void> => makeFifoWith(helper.path)([path], never);
  const shell = (script: string): ChildProcess => {
    const child = spawn('sh', ['-c', script, 'sh', path], { stdio: ['ignore', 'pipe', 'inherit'] });
    children.push(child);
    return child;
  };
  async function outputOf(child: ChildProcess): Promise<string> {
    let text = '';
    child.stdout?.setEncoding('utf8').on('data', (more: string) => (text += more));
    await once(child, 'close');
    return text;
  }
  const openPipes = async (): Promise<number> =>
    (await Promise.all((await readdir('/proc/self/fd')).map((fd) => stat(`/proc/self/fd/${fd}`).catch(() => null)))).filter(
      (found) => found?.isFIFO() === true,
    ).length;

  describe('making one', () => {
    test('all may read it, whatever the mask', async () => {
      await make();
      const found = await stat(path);
      expect(found.isFIFO()).toBe(true);
      expect(found.mode & 0o777).toBe(0o644);
    });

    test('one that is there already, from before a restart, will do', async () => {
      await make();
      await make();
      expect((await stat(path)).isFIFO()).toBe(true);
    });

    test.each([
      ['a file', (): Promise<void> => writeFile(path, '')],
      ['a link', (): Promise<void> => symlink('/dev/null', path)],
    ])('%s in its place is refused', async (_what, put) => {
      await put();
      await expect(make()).rejects.toMatchObject({ code: 'pipe-failed', message: expect.stringContaining('something else') as unknown });
    });

    test('a folder that is not there, and a helper that is not there, are told', async () => {
      await expect(makeFifoWith(helper.path)([join(folder, 'no', 'pipe')], never)).rejects.toThrow(/no such file/);
      await expect(makeFifoWith('/nonexistent/mkfifo')([path], never)).rejects.toMatchObject({ code: 'pipe-failed' });
    });
  });

  describe('reading', () => {
    test('waits for the pipe, then for the writer, then for its end', async () => {
      const read = readFifo(path, options);
      await SYSTEM_TIMING.sleep(150, never);
      await make();
      await SYSTEM_TIMING.sleep(150, never);
      shell('exec 3>"$1"; printf [1, >&3; sleep 0.2; printf 2] >&3');
      expect(await read).toBe('[1,2]');
    });

    test('a message of 10 MB arrives whole', async () => {
      await make();
      const read = readFifo(path, options);
      shell('head -c 10000000 /dev/zero | tr "\\0" x >"$1"');
      expect(await read).toHaveLength(10_000_000);
    });

    test('a writer that dies midway, or without a word, ends the message there', async () => {
      await make();
      const midway = readFifo(path, options);
      shell('exec 3>"$1"; printf [1, >&3; kill -9 $$');
      expect(await midway).toBe('[1,');
      const silent = readFifo(path, options);
      shell('exec 3>"$1"; kill -9 $$');
      expect(await silent).toBe('');
    });

    test('more than is allowed, or no text, is refused, and the writer is let go', async () => {
      await make();
      const read = readFifo(path, { ...options, mostBytes: 100_000 });
      const writer = shell('head -c 10000000 /dev/zero >"$1"');
      await expect(read).rejects.toMatchObject({ code: 'bad-message' });
      await once(writer, 'close');
      const noText = readFifo(path, options);
      shell('printf "\\377\\376" >"$1"');
      await expect(noText).rejects.toMatchObject({ code: 'bad-message' });
    });

    test('what is no pipe is refused', async () => {
      await writeFile(path, '[]');
      await expect(readFifo(path, options)).rejects.toMatchObject({ code: 'pipe-failed' });
    });

    test.each(['before the pipe is there', 'before the writer comes', 'in the middle of the message'])('is aborted %s', async (when) => {
      const abort = new AbortController();
      if (when !== 'before the pipe is there') await make();
      const before = await openPipes();
      const read = readFifo(path, { ...options, signal: abort.signal });
      if (when === 'in the middle of the message') shell('exec 3>"$1"; printf [1, >&3; exec sleep 60');
      setTimeout(() => abort.abort(new Error('stopped')), 200);
      await expect(read).rejects.toThrow('stopped');
      await expect.poll(openPipes).toBe(before);
    });
  });

  describe('writing', () => {
    test('waits for the pipe and for the reader; 10 MB arrive whole', async () => {
      const written = writeFifo(path, 'y'.repeat(10_000_000), options);
      await SYSTEM_TIMING.sleep(150, never);
      await make();
      await SYSTEM_TIMING.sleep(150, never);
      const [count] = await Promise.all([outputOf(shell('wc -c <"$1"')), written]);
      expect(count.trim()).toBe('10000000');
    });

    test('a reader that goes away is an error', async () => {
      await make();
      shell('exec 3<"$1"; head -c 1000 <&3 >/dev/null');
      await expect(writeFifo(path, 'y'.repeat(10_000_000), options)).rejects.toMatchObject({ code: 'pipe-failed' });
    });

    test('nothing is written to what is no pipe', async () => {
      await writeFile(path, 'precious');
      await expect(writeFifo(path, '[]', options)).rejects.toMatchObject({ code: 'pipe-failed' });
      expect((await stat(path)).size).toBe('precious'.length);
    });

    test.each(['without a reader', 'with a reader that does not read'])('is aborted %s', async (when) => {
      const abort = new AbortController();
      await make();
      const before = await openPipes();
      const written = writeFifo(path, 'y'.repeat(10_000_000), { ...options, signal: abort.signal });
      if (when !== 'without a reader') shell('exec 3<"$1"; exec sleep 60');
      setTimeout(() => abort.abort(new Error('stopped')), 300);
      await expect(written).rejects.toThrow('stopped');
      await expect.poll(openPipes).toBe(before);
    });
  });
});
