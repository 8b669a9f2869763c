import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { declareTrivyDatabase, encodeBoltFile, fnv64a, writeTrivyDatabase, type BoltBucket } from '../../lab/trivy-database.ts';
import { checkBoltFile } from '../../src/scan/bolt-file.ts';

const PAGE_SIZE = 4096;

describe('declareTrivyDatabase', () => {
  it('declares an Alpine package by release and fixed version', () => {
    const database = declareTrivyDatabase([
      { ecosystem: 'alpine', release: '3.22', packageName: 'busybox', id: 'CVE-2026-1', severity: 'HIGH', fixedVersion: '1.37.0-r9' },
    ]);
    expect(database).toMatchObject({
      advisories: [{ platform: 'alpine 3.22', packageName: 'busybox', id: 'CVE-2026-1', advisory: { FixedVersion: '1.37.0-r9' } }],
      vulnerabilities: { 'CVE-2026-1': { Severity: 'HIGH', VendorSeverity: { nvd: 3 } } },
      dataSources: { 'alpine 3.22': { ID: 'alpine' } },
    });
  });

  it('declares a Debian package without a fix by the number of its status', () => {
    const { advisories } = declareTrivyDatabase([
      {
        ecosystem: 'debian',
        release: '12',
        packageName: 'zlib',
        id: 'CVE-2026-2',
        severity: 'LOW',
        fixedVersion: null,
        status: 'will_not_fix',
      },
    ]);
    expect(advisories).toMatchObject([{ platform: 'debian 12', advisory: { Status: 5 } }]);
  });

  it('declares an npm package by the versions below the fixed one, or by a range', () => {
    const npm = { ecosystem: 'npm', packageName: 'lodash', id: 'CVE-2026-3', severity: 'UNKNOWN' } as const;
    const { advisories, vulnerabilities } = declareTrivyDatabase([
      { ...npm, fixedVersion: '4.17.21' },
      { ...npm, fixedVersion: null, vulnerableVersions: '>=1.0.0 <2.0.0' },
    ]);
    expect(advisories.map(({ advisory }) => advisory)).toEqual([
      { VulnerableVersions: ['<4.17.21'], PatchedVersions: ['4.17.21'] },
      { VulnerableVersions: ['>=1.0.0 <2.0.0'] },
    ]);
    expect(vulnerabilities['CVE-2026-3']).not.toHaveProperty('VendorSeverity');
  });
});

describe('encodeBoltFile', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'trivy-database-'));
  });
  afterEach(async () => {
    await rm(directory, { recursive: true });
  });

  const check = async (root: BoltBucket) => {
    const path = join(directory, 'file');
    await writeFile(path, encodeBoltFile(root));
    return await checkBoltFile(path);
  };

  it('writes whole pages, both meta pages valid', () => {
    const file = encodeBoltFile(new Map([['key', Buffer.from('value')]]));
    expect(file.length % PAGE_SIZE).toBe(0);
    for (const page of [0, 1]) {
      const meta = file.subarray(page * PAGE_SIZE + 16, page * PAGE_SIZE + 80);
      expect(meta.readUInt32LE(0)).toBe(0xed0cdaed);
      expect(meta.readBigUInt64LE(40)).toBe(BigInt(file.length / PAGE_SIZE));
      expect(meta.readBigUInt64LE(56)).toBe(fnv64a(meta.subarray(0, 56)));
    }
  });

  it('is read back: small buckets inline, large ones on pages with overflow', async () => {
    const large = Array.from({ length: 2_000 }, (_, index): [string, Buffer] => [`key ${index}`, Buffer.from(`value ${index}`)]);
    const nested: BoltBucket = new Map([['inner', new Map([['key', Buffer.from('value')]])]]);
    const root: BoltBucket = new Map();
    root.set('small', new Map([['key', Buffer.from('value')]])).set('empty', new Map());
    root.set('large', new Map(large)).set('nested', nested);
    expect(await check(root)).toEqual({
      kind: 'sound',
      buckets: new Map([
        ['empty', { isEmpty: true }],
        ['large', { isEmpty: false }],
        ['nested', { isEmpty: false }],
        ['small', { isEmpty: false }],
      ]),
    });
  });

  it('sorts keys by their bytes', async () => {
    const root: BoltBucket = new Map(['b', 'ä', 'a', 'B', 'aa', '😀', '\uffee'].map((key) => [key, new Map()]));
    const result = await check(root);
    const keys = result.kind === 'sound' ? [...result.buckets.keys()] : [];
    expect(keys).toEqual(['B', 'a', 'aa', 'b', 'ä', '\uffee', '😀']);
  });

  it('refuses what the format cannot hold', () => {
    expect(() => encodeBoltFile(new Map([['', Buffer.alloc(1)]]))).toThrow(RangeError);
    const many = Array.from({ length: 65_536 }, (_, index): [string, Buffer] => [String(index), Buffer.alloc(0)]);
    expect(() => encodeBoltFile(new Map(many))).toThrow(RangeError);
  });

  it('has FNV-1a as the hash', () => {
    expect(fnv64a(Buffer.from('foobar'))).toBe(0x85944171f73967e8n);
  });
});

describe('writeTrivyDatabase', () => {
  it('writes metadata that Trivy takes for up to date', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'trivy-database-'));
    try {
      await writeTrivyDatabase(directory, declareTrivyDatabase([], new Date('2026-01-02T03:04:05Z')));
      const metadata: unknown = JSON.parse(await readFile(join(directory, 'db', 'metadata.json'), 'utf8'));
      expect(metadata).toMatchObject({ Version: 2, UpdatedAt: '2026-01-02T03:04:05.000Z', NextUpdate: '2999-01-01T00:00:00Z' });
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
