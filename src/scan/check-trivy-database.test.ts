import { mkdtemp, readFile, rm, truncate, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { declareTrivyDatabase, encodeBoltFile, fnv64a, writeTrivyDatabase } from '../../lab/trivy-database.ts';
import { checkBoltFile } from './bolt-file.ts';
import { checkTrivyDatabase } from './check-trivy-database.ts';

const PAGE_SIZE = 4096;
const updatedAt = new Date('2026-01-02T03:04:05Z');
/** Some hundred advisories in two buckets with pages of their own. */
const database = declareTrivyDatabase(
  Array.from({ length: 300 }, (_, index) => ({
    ecosystem: 'alpine',
    release: '3.22',
    packageName: `package-${index}`,
    id: `CVE-2026-${index}`,
    severity: 'HIGH',
    fixedVersion: '1.0.0-r0',
  })),
  updatedAt,
);

let cacheDir: string;
const path = (name: 'trivy.db' | 'metadata.json'): string => join(cacheDir, 'db', name);

beforeEach(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), 'check-trivy-database-'));
  await writeTrivyDatabase(cacheDir, database);
});
afterEach(async () => {
  await rm(cacheDir, { recursive: true });
});

/** Overwrites a part of the database's file. */
async function damage(change: (file: Buffer) => void): Promise<void> {
  const file = await readFile(path('trivy.db'));
  change(file);
  await writeFile(path('trivy.db'), file);
}

const rootPageOf = (file: Buffer): number => Number(file.readBigUInt64LE(16 + 16));

describe('checkTrivyDatabase', () => {
  it('tells when a sound database was made', async () => {
    expect(await checkTrivyDatabase(cacheDir)).toBe('2026-01-02T03:04:05.000Z');
  });

  it.each(['{"Version":2}', '{"Version":2,"UpdatedAt":"0001-01-01T00:00:00Z"}'])('takes metadata without a time: %s', async (metadata) => {
    await writeFile(path('metadata.json'), metadata);
    expect(await checkTrivyDatabase(cacheDir)).toBeNull();
  });

  it('reads the second meta page where the first is damaged', async () => {
    await damage((file) => file.fill(0, 0, PAGE_SIZE));
    expect(await checkTrivyDatabase(cacheDir)).not.toBeNull();
  });

  it.each(['trivy.db', 'metadata.json'] as const)('tells that %s is missing', async (name) => {
    await unlink(path(name));
    await expect(checkTrivyDatabase(cacheDir)).rejects.toMatchObject({
      code: 'no-database',
      hint: expect.stringContaining('db/') as string,
    });
  });

  it.each(['', '{"Version', '[]', '{"Version":"2"}', '{"Version":1}', '{"Version":3}'])('refuses the metadata %j', async (metadata) => {
    await writeFile(path('metadata.json'), metadata);
    await expect(checkTrivyDatabase(cacheDir)).rejects.toMatchObject({ code: 'bad-database' });
  });

  it.each([
    ['no bytes', (file: Buffer) => file.fill(0)],
    ['random bytes', (file: Buffer) => file.forEach((_, index) => (file[index] = (index * 7919) % 251))],
    ['both meta pages damaged', (file: Buffer) => [20, PAGE_SIZE + 20].forEach((at) => file.writeUInt8(file.readUInt8(at) ^ 1, at))],
    ['the top page zeroed', (file: Buffer) => file.fill(0, rootPageOf(file) * PAGE_SIZE, (rootPageOf(file) + 1) * PAGE_SIZE)],
    ['the top page with elements outside of it', (file: Buffer) => file.writeUInt16LE(0xffff, rootPageOf(file) * PAGE_SIZE + 10)],
    ["a bucket's page zeroed", (file: Buffer) => file.fill(0, 3 * PAGE_SIZE, 4 * PAGE_SIZE)],
  ])('refuses a database with %s', async (_, change) => {
    await damage(change);
    await expect(checkTrivyDatabase(cacheDir)).rejects.toMatchObject({ code: 'bad-database' });
  });

  it.each([0, 100, PAGE_SIZE, 3 * PAGE_SIZE])('refuses a database of which only %d bytes are left', async (bytes) => {
    await truncate(path('trivy.db'), bytes);
    await expect(checkTrivyDatabase(cacheDir)).rejects.toMatchObject({ code: 'bad-database' });
  });

  it('refuses one that lacks its last byte', async () => {
    await truncate(path('trivy.db'), (await readFile(path('trivy.db'))).length - 1);
    const message = expect.stringContaining('truncated') as string;
    await expect(checkTrivyDatabase(cacheDir)).rejects.toMatchObject({ code: 'bad-database', message });
  });

  it('refuses an empty database, by which every image would be clean', async () => {
    await writeTrivyDatabase(cacheDir, { advisories: [], vulnerabilities: {}, dataSources: {} });
    await expect(checkTrivyDatabase(cacheDir)).rejects.toMatchObject({ code: 'bad-database' });
    await writeFile(path('trivy.db'), encodeBoltFile(new Map()));
    await expect(checkTrivyDatabase(cacheDir)).rejects.toMatchObject({ code: 'bad-database' });
  });
});

describe('checkBoltFile', () => {
  it('follows the branch pages that bbolt itself writes, and no loop among them', async () => {
    // The top page becomes a branch whose only child is the page it was, moved behind the end.
    const file = await readFile(path('trivy.db'));
    const root = rootPageOf(file);
    const leaf = Buffer.from(file.subarray(root * PAGE_SIZE));
    const branched = withMeta(Buffer.concat([file, leaf]), file.length / PAGE_SIZE + leaf.length / PAGE_SIZE);
    leaf.writeBigUInt64LE(BigInt(file.length / PAGE_SIZE), 0);
    leaf.copy(branched, file.length);
    const branch = (child: number): Buffer => {
      const page = Buffer.alloc(PAGE_SIZE);
      page.writeBigUInt64LE(BigInt(root), 0);
      page.writeUInt16LE(0x01, 8);
      page.writeUInt16LE(1, 10);
      page.writeBigUInt64LE(BigInt(child), 16 + 8);
      return page;
    };
    branch(file.length / PAGE_SIZE).copy(branched, root * PAGE_SIZE);
    await writeFile(path('trivy.db'), branched);
    const check = await checkBoltFile(path('trivy.db'));
    expect(check.kind === 'sound' && [...check.buckets.keys()]).toEqual(['alpine 3.22', 'data-source', 'vulnerability']);
    branch(root).copy(branched, root * PAGE_SIZE);
    await writeFile(path('trivy.db'), branched);
    expect(await checkBoltFile(path('trivy.db'))).toMatchObject({ kind: 'damaged' });
  });
});

/** Both meta pages again, for another number of pages. */
function withMeta(file: Buffer, pageCount: number): Buffer {
  for (const page of [0, 1]) {
    const meta = file.subarray(page * PAGE_SIZE + 16, page * PAGE_SIZE + 16 + 64);
    meta.writeBigUInt64LE(BigInt(pageCount), 40);
    meta.writeBigUInt64LE(fnv64a(meta.subarray(0, 56)), 56);
  }
  return file;
}
