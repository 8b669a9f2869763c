import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { startContainerd, type PrivateContainerd } from '../../../lab/containerd.ts';
import { buildImage, importImages, listImageIds } from '../../../lab/images.ts';
import { lacksRealPart } from '../../../lab/real-parts.ts';
import { newHistory, parseClean, reasonsByTag, runCli, startCli, type CliResult } from '../run-cli.ts';
import { steppedClock } from './fake-clock.ts';

/** A history that cannot be used: nothing is removed off the record, and nothing that is in the file is lost. And clocks that step. */

const IMAGES = 12;

describe.skipIf(lacksRealPart('containerd-debian'))('the history', () => {
  let containerd: PrivateContainerd;
  let folder: string;
  let all: string[];
  let history: string;
  const images = Array.from({ length: IMAGES }, (_value, at) =>
    buildImage({ refs: [`docker.io/library/many:${String(at)}`], layers: [], config: { labels: { at: String(at) } } }),
  );
  beforeAll(async () => {
    containerd = await startContainerd({ version: 'debian' });
    folder = await mkdtemp(join(tmpdir(), 'image-cleaner-bad-history-'));
  });
  beforeEach(async () => {
    history = newHistory();
    if ((await listImageIds(containerd)).length < IMAGES) await importImages(containerd, images, { unpack: false });
    all = await listImageIds(containerd);
  });
  afterAll(async () => {
    await containerd.stop();
    await rm(folder, { recursive: true });
  });
  const args = (...more: string[]): string[] => [
    'clean',
    '--runtime-endpoint',
    containerd.endpoint,
    '--scanner',
    'none',
    '-o',
    'json',
    ...more,
  ];
  const clean = (...more: string[]): Promise<CliResult> => runCli(args('--yes', '--history', history, ...more));
  const dryRun = (...more: string[]): Promise<CliResult> => runCli(args('--dry-run', '--history', history, ...more));
  /** Of the history in the file, the state of each run, the latest first. */
  const states = async (): Promise<string[]> => {
    const runs = await runCli(['history', '--history', history, '-o', 'json']);
    return z
      .array(z.object({ state: z.string() }))
      .parse(JSON.parse(runs.stdout))
      .map(({ state }) => state);
  };
  const expectRefused = async ({ code, stdout, stderr }: CliResult, message: RegExp): Promise<void> => {
    expect({ code, stdout }, stderr).toEqual({ code: 3, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr).toContain(history);
    expect(stderr).toContain('Nothing was removed.');
    expect(stderr).toContain('--no-history');
    expect(await listImageIds(containerd)).toEqual(all);
  };
  /** Closed at once: the close writes, too. */
  const change = (sql: string): void => {
    using database = new DatabaseSync(history);
    database.exec(sql);
  };
  /** A history with a run in it that removed nothing. */
  const makeHistory = async (): Promise<void> => {
    expect((await clean('--exclude', '*')).code).toBe(0);
  };

  describe('file', () => {
    const unusable: [what: string, make: () => Promise<unknown>, message: RegExp][] = [
      ['that is no database', () => writeFile(history, 'hello '.repeat(1_000)), /is not an SQLite file/],
      ['that is a folder', () => mkdir(history), /is a folder/],
      [
        'of another program',
        () => {
          change('CREATE TABLE t (a); INSERT INTO t VALUES (1)');
          return Promise.resolve();
        },
        /of another program/,
      ],
      [
        'that is newer than this program',
        async () => {
          await makeHistory();
          change('PRAGMA user_version = 99');
        },
        /newer image-cleaner/,
      ],
      [
        'that is corrupt: cut off',
        async () => {
          await makeHistory();
          change('PRAGMA wal_checkpoint(TRUNCATE)');
          await truncate(history, (await stat(history)).size - 4096 * 4);
        },
        /damaged|corrupt|malformed/,
      ],
    ];
    test.each(unusable)('%s: refused, and left as it is', async (_what, make, message) => {
      await make();
      const before = (await stat(history)).isFile() ? await readFile(history) : null;
      await expectRefused(await clean(), message);
      if (before !== null) expect((await readFile(history)).equals(before)).toBe(true);
      // A dry run needs no history, but what one says is not passed over.
      const { stderr } = await dryRun();
      expect(stderr).toMatch(/^(Warning|error): /m);
      expect(stderr).toContain(history);
      expect((await clean('--no-history', '--exclude', '*')).code).toBe(0);
    });
  });

  describe('on a small filesystem', () => {
    let mounted: string;
    beforeEach(async () => {
      mounted = await mkdtemp(join(folder, 'mounted-'));
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', mounted]);
      history = join(mounted, 'history.db');
    });
    afterEach(() => void execFileSync('umount', [mounted]));
    const fill = (): Promise<unknown> => writeFile(join(mounted, 'filler'), Buffer.alloc(2 << 20)).catch(() => undefined);

    test('that is read-only: refused, while a dry run goes on with a warning', async () => {
      await makeHistory();
      execFileSync('mount', ['-o', 'remount,ro', mounted]);
      await expectRefused(await clean(), /read-only|not be written|cannot be written/i);
      const result = await dryRun();
      expect(result.code).toBe(0);
      expect(result.stderr).toMatch(/Warning: .+nothing is remembered of this run/);
    });

    test('that is full: a run that may cure it goes on, with a warning; one that needs the ages is refused', async () => {
      await fill();
      await expectRefused(await clean('--min-age', '1ms'), /no room|full/i);
      const result = await clean();
      expect(result.code).toBe(0);
      expect(result.stderr).toMatch(/Warning: .+nothing is remembered of this run/);
      expect(await listImageIds(containerd)).toEqual([]);
    });

    test('that runs full in the middle of a run: all are removed, and the run says that its record is not whole', async () => {
      await makeHistory();
      const running = startCli(args('--yes', '--concurrency', '1', '--history', history));
      await running.seen('3/12 removed');
      await fill();
      const result = await running.result;
      expect(parseClean(result).removals?.map(({ outcome }) => outcome)).toEqual(Array<string>(IMAGES).fill('removed'));
      expect(await listImageIds(containerd)).toEqual([]);
      await rm(join(mounted, 'filler'));
      if (result.code === 0) expect((await states())[0]).toBe('completed');
      else expect(result.stderr).toMatch(/error: .*history\.db/);
      // What was on record before is there, and the next run goes on.
      expect((await states()).at(-1)).toBe('completed');
      await importImages(containerd, images, { unpack: false });
      expect((await clean()).code).toBe(0);
      expect(await listImageIds(containerd)).toEqual([]);
      expect((await states())[0]).toBe('completed');
    });
  });

  describe.skipIf(lacksRealPart('fake-clock'))('and a clock', () => {
    test.each([
      ['forward', '+1y'],
      ['back', '-1y'],
    ])('that was stepped %s by a year since: no image is older or younger for that', async (_where, offset) => {
      expect((await clean('--min-age', '1h')).code).toBe(0);
      const env = await steppedClock(offset);
      const year = await runCli(args('--yes', '--history', history, '--max-age', '1h', '--min-age', '1m'), env);
      expect(year.code).toBe(0);
      expect(new Set(Object.values(reasonsByTag(parseClean(year))))).toEqual(new Set(['keep too-young']));
      const expired = await runCli(args('--yes', '--history', history, '--max-age', '1h'), env);
      expect(new Set(Object.values(reasonsByTag(parseClean(expired))))).toEqual(new Set(['keep compliant']));
      expect(await listImageIds(containerd)).toEqual(all);
      expect(await states()).toEqual(['completed', 'completed', 'completed']);
    });

    test.each([
      ['forward', '+1y'],
      ['back', '-1y'],
    ])('that is stepped %s by a year in the middle of a run: all are removed, and on record', async (_where, offset) => {
      const file = join(folder, 'clock');
      await writeFile(file, '+0');
      const running = startCli(args('--yes', '--concurrency', '1', '--history', history), await steppedClock({ file }));
      await running.seen('3/12 removed');
      await writeFile(file, offset);
      const result = await running.result;
      expect(result.code).toBe(0);
      expect(await listImageIds(containerd)).toEqual([]);
      expect(await states()).toEqual(['completed']);
    });
  });
});
