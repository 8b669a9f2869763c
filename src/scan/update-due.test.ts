import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isUpdateDue } from './update-due.ts';

const now = Date.parse('2026-01-02T12:00:00Z');
const metadata = {
  Version: 2,
  NextUpdate: '2026-01-02T13:00:00Z',
  UpdatedAt: '2026-01-02T00:00:00Z',
  DownloadedAt: '2026-01-02T06:00:00.123456789Z',
};
let cacheDir: string;

beforeEach(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), 'update-due-'));
  await mkdir(join(cacheDir, 'db'));
  await writeFile(join(cacheDir, 'db', 'trivy.db'), '');
});
afterEach(async () => {
  await rm(cacheDir, { recursive: true });
});

const isDue = async (change: object | string): Promise<boolean> => {
  const text = typeof change === 'string' ? change : JSON.stringify({ ...metadata, ...change });
  await writeFile(join(cacheDir, 'db', 'metadata.json'), text);
  return await isUpdateDue(cacheDir, now);
};

// Each case as `NeedsUpdate` of Trivy 0.74 decides it.
describe('isUpdateDue', () => {
  it.each([
    ['before the next update', {}, false],
    ['at the next update', { NextUpdate: '2026-01-02T12:00:00Z' }, true],
    ['after it, within an hour of the download', { NextUpdate: '2026-01-01T00:00:00Z', DownloadedAt: '2026-01-02T11:00:01Z' }, false],
    ['after it, an hour after the download', { NextUpdate: '2026-01-01T00:00:00Z', DownloadedAt: '2026-01-02T11:00:00Z' }, true],
    ['put there by hand', { DownloadedAt: '0001-01-01T00:00:00Z' }, true],
    ['without the time of its download', { DownloadedAt: undefined }, true],
    ['of another schema', { Version: 1 }, true],
    ['with garbage for metadata', 'garbage', true],
  ])('%s', async (_, change, due) => {
    expect(await isDue(change)).toBe(due);
  });

  it('without a database', async () => {
    await rm(join(cacheDir, 'db', 'trivy.db'));
    expect(await isDue({})).toBe(true);
  });
});
