import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { image, imageId } from '../../test/fakes/images.ts';
import { temporaryFolder } from '../../test/fakes/history-in-test.ts';
import { verifyAuditLog } from './audit-chain.ts';
import { AuditLog, type AuditEntry } from './audit-log.ts';
import { parseJson } from './pack.ts';

const at = Date.UTC(2026, 10, 1);

function entry(number: number, fields: Partial<AuditEntry> = {}): AuditEntry {
  const { id: imageIdOf, repoTags, repoDigests } = image(number);
  return {
    ...{ at, runId: 7, settled: false, host: 'node-1', user: 'ada', imageId: imageIdOf, repoTags, repoDigests },
    reason: { code: 'vulnerable', message: 'CVE-2026-0001 (HIGH) in openssl 3.0.0-r0 – fixed' },
    ...{ vulnerabilityIds: ['CVE-2026-0001'], bytes: 1_000, outcome: 'removed', message: null },
    ...fields,
  };
}

function newPath(): string {
  return join(temporaryFolder(), 'audit.log');
}

function open(path: string): AuditLog {
  return new AuditLog({ path, now: () => at });
}

/** A log of so many entries, each process writing so many of them. */
function write(path: string, count: number, from = 1, perProcess = count): string {
  for (let number = from; number < from + count;) {
    const log = open(path);
    for (let written = 0; written < perProcess && number < from + count; written += 1) log.append(entry(number++));
    log.close();
  }
  return path;
}

const lines = (path: string): string[] => readFileSync(path, 'utf8').split('\n');
const imagesIn = (path: string): unknown[] =>
  lines(path)
    .map((line) => (parseJson(line) as { imageId?: unknown } | undefined)?.imageId)
    .filter((id) => id !== undefined);

describe('the audit log', () => {
  test('says when all of it is on the disk', () => {
    const path = newPath();
    const log = open(path);
    log.append(entry(1));
    expect(log.sync()).toBe(true);
    expect(imagesIn(path)).toEqual([imageId(1)]);
    log.close();
  });

  test('has a line for each removal, with all that is known of it', () => {
    const path = write(newPath(), 1);
    expect(lines(path)).toHaveLength(2);
    expect(JSON.parse(lines(path)[0] ?? '')).toEqual({
      ...{ previous: null, time: '2026-11-01T00:00:00.000Z', runId: 7, settled: false, host: 'node-1', user: 'ada' },
      imageId: imageId(1),
      ...{ repoTags: ['docker.io/library/image-1:1'], repoDigests: [], vulnerabilityIds: ['CVE-2026-0001'], bytes: 1_000 },
      ...{ reason: entry(1).reason, outcome: 'removed', message: null },
    });
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test('is there as soon as the entry was appended', () => {
    const path = newPath();
    const log = open(path);
    log.append(entry(1));
    expect(imagesIn(path)).toEqual([imageId(1)]);
    log.close();
  });

  test('follows from process to process', async () => {
    const path = write(newPath(), 7, 1, 3);
    expect(await verifyAuditLog(path)).toMatchObject({ ok: true, lines: 7, follows: null, isTorn: false });
  });

  test('takes lines of any length', async () => {
    const path = newPath();
    for (let run = 0; run < 3; run += 1) {
      const log = open(path);
      log.append(entry(run, { vulnerabilityIds: Array.from({ length: 20_000 }, (_, number) => `CVE-2026-${number}`) }));
      log.close();
    }
    expect(await verifyAuditLog(path)).toMatchObject({ ok: true, lines: 3 });
  });

  test.each<[string, (text: string[]) => string[], number]>([
    ['changed', (text) => text.with(2, (text[2] ?? '').replace('removed', 'kept')), 4],
    ['taken out', (text) => text.toSpliced(2, 1), 3],
    ['put in twice', (text) => text.toSpliced(2, 0, text[2] ?? ''), 4],
    ['swapped', (text) => text.with(1, text[2] ?? '').with(2, text[1] ?? ''), 2],
    ['no JSON', (text) => text.with(2, 'hello'), 3],
    ['emptied', (text) => text.with(2, ''), 3],
    ['cut in the middle', (text) => text.with(2, (text[2] ?? '').slice(0, 50)), 3],
  ])('shows that a line was %s', async (_, change, line) => {
    const path = write(newPath(), 5);
    writeFileSync(path, change(lines(path)).join('\n'));
    expect(await verifyAuditLog(path)).toMatchObject({ ok: false, line });
  });

  test('a line torn by the end of its process is closed off, wherever it was torn, and nothing is lost', async () => {
    const whole = readFileSync(write(newPath(), 3));
    const end = whole.length;
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: end }), async (length) => {
        const path = newPath();
        writeFileSync(path, whole.subarray(0, length));
        expect(await verifyAuditLog(path)).toMatchObject({ ok: true, isTorn: length > 0 && whole[length - 1] !== 0x0a });
        write(path, 2, 8);
        expect(readFileSync(path).subarray(0, length)).toEqual(whole.subarray(0, length));
        expect(imagesIn(path).slice(-2)).toEqual([imageId(8), imageId(9)]);
        expect(await verifyAuditLog(path)).toMatchObject({ ok: true, isTorn: false });
      }),
      { numRuns: 60 },
    );
  });

  test('a file that was moved away is followed by a new one that names its last line', async () => {
    const path = newPath();
    const log = open(path);
    log.append(entry(1));
    renameSync(path, `${path}.1`);
    log.append(entry(2));
    log.append(entry(3));
    log.close();
    const [old, fresh] = [await verifyAuditLog(`${path}.1`), await verifyAuditLog(path)];
    expect([old, fresh]).toMatchObject([
      { ok: true, lines: 1 },
      { ok: true, lines: 2 },
    ]);
    expect(old.ok && fresh.ok && fresh.follows === old.lastHash).toBe(true);
    expect([imagesIn(`${path}.1`), imagesIn(path)]).toEqual([[imageId(1)], [imageId(2), imageId(3)]]);
  });

  test('a file that was copied and cut off is followed likewise', async () => {
    const path = newPath();
    const log = open(path);
    log.append(entry(1));
    copyFileSync(path, `${path}.1`);
    truncateSync(path, 0);
    log.append(entry(2));
    log.close();
    const [old, fresh] = [await verifyAuditLog(`${path}.1`), await verifyAuditLog(path)];
    expect(old.ok && fresh.ok && fresh.lines === 1 && fresh.follows === old.lastHash).toBe(true);
  });

  test('what another process wrote meanwhile is followed', async () => {
    const path = newPath();
    const log = open(path);
    log.append(entry(1));
    write(path, 2, 2);
    log.append(entry(4));
    log.close();
    expect(await verifyAuditLog(path)).toMatchObject({ ok: true, lines: 4 });
    appendFileSync(path, 'by hand\n');
    expect(await verifyAuditLog(path)).toMatchObject({ ok: false, line: 5 });
  });

  test('is not begun where it cannot be written', () => {
    const path = join(newPath(), 'audit.log');
    expect(() => open(path)).toThrow(
      expect.objectContaining({ code: 'unwritable', message: expect.stringContaining(path) as string }) as Error,
    );
    expect(existsSync(path)).toBe(false);
  });

  test.each<[string, (path: string) => void]>([
    ['a folder', (path) => mkdirSync(path)],
    ['a pipe', (path) => execFileSync('mkfifo', [path])],
    ['a link', (path) => symlinkSync(write(newPath(), 1), path)],
    ['a link to a device', (path) => symlinkSync('/dev/null', path)],
  ])('is not begun in %s', async (what, make) => {
    const path = newPath();
    make(path);
    expect(() => open(path)).toThrow(expect.objectContaining({ code: 'unwritable' }) as Error);
    if (what !== 'a link') await expect(verifyAuditLog(path)).rejects.toThrow('is no regular file');
  });

  test('an empty one is whole', async () => {
    const path = newPath();
    open(path).close();
    expect(await verifyAuditLog(path)).toEqual({ ok: true, lines: 0, follows: null, lastHash: null, isTorn: false });
  });
});
