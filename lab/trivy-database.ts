import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FINDING_STATUSES, type FindingStatus, type Severity } from '../src/api/scan-report.ts';

/** What one source says of one package: the entry `<platform>/<package>/<id>` of Trivy's database. */
export interface TrivyAdvisory {
  /** `alpine 3.22`, `debian 12`, `npm::GitHub Security Advisory Npm`. */
  readonly platform: string;
  /** The source package where the distribution has such. */
  readonly packageName: string;
  readonly id: string;
  /** Trivy's `types.Advisory` as its database holds it: the JSON `Status` and `Severity` are integers. */
  readonly advisory: Readonly<Record<string, unknown>>;
}

export interface TrivyDatabase {
  readonly advisories: readonly TrivyAdvisory[];
  /** Trivy's `types.Vulnerability` by id. */
  readonly vulnerabilities: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Trivy's `types.DataSource` by platform. */
  readonly dataSources: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly updatedAt?: Date;
}

interface Declared {
  readonly packageName: string;
  readonly id: string;
  readonly severity: Severity;
}

/** A vulnerability as a test or the demo states it. */
export type DeclaredVulnerability =
  | (Declared & { readonly ecosystem: 'alpine'; readonly release: string; readonly fixedVersion: string })
  | (Declared & {
      readonly ecosystem: 'debian';
      readonly release: string;
      /** null: no fix; every installed version is affected, and `status` says what Debian does about it (`affected` if not given). */
      readonly fixedVersion: string | null;
      readonly status?: FindingStatus;
    })
  | (Declared & {
      readonly ecosystem: 'npm';
      readonly fixedVersion: string | null;
      /** A range such as `>=1.0.0 <1.4.2`; every version below the fixed one if not given. */
      readonly vulnerableVersions?: string;
    });

/** The database that makes Trivy find exactly the declared vulnerabilities. */
export function declareTrivyDatabase(declared: readonly DeclaredVulnerability[], updatedAt?: Date): TrivyDatabase {
  const advisories = declared.map((vulnerability): TrivyAdvisory => ({
    platform: platformOf(vulnerability),
    packageName: vulnerability.packageName,
    id: vulnerability.id,
    advisory: advisoryOf(vulnerability),
  }));
  return {
    advisories,
    vulnerabilities: Object.fromEntries(declared.map(({ id, severity }) => [id, vulnerabilityDetail(id, severity)])),
    dataSources: Object.fromEntries(declared.map((vulnerability) => [platformOf(vulnerability), DATA_SOURCES[vulnerability.ecosystem]])),
    ...(updatedAt === undefined ? {} : { updatedAt }),
  };
}

/** Writes `db/trivy.db` and `db/metadata.json` below the folder that Trivy takes as `--cache-dir`. */
export async function writeTrivyDatabase(cacheDir: string, database: TrivyDatabase): Promise<void> {
  const updatedAt = (database.updatedAt ?? new Date()).toISOString();
  const metadata = { Version: 2, NextUpdate: '2999-01-01T00:00:00Z', UpdatedAt: updatedAt, DownloadedAt: updatedAt };
  await mkdir(join(cacheDir, 'db'), { recursive: true });
  await writeFile(join(cacheDir, 'db', 'trivy.db'), encodeBoltFile(bucketsOf(database)));
  await writeFile(join(cacheDir, 'db', 'metadata.json'), JSON.stringify(metadata));
}

const DATA_SOURCES = {
  alpine: { ID: 'alpine', Name: 'Alpine Secdb', URL: 'https://secdb.alpinelinux.org/' },
  debian: { ID: 'debian', Name: 'Debian Security Tracker', URL: 'https://salsa.debian.org/security-tracker-team/security-tracker' },
  npm: { ID: 'ghsa', Name: 'GitHub Security Advisory npm', URL: 'https://github.com/advisories?query=type%3Areviewed+ecosystem%3Anpm' },
} as const;

/** Trivy's integers for severities (`types.Severity` of trivy-db). */
const SEVERITY_NUMBERS: Readonly<Record<Severity, number>> = { UNKNOWN: 0, LOW: 1, MEDIUM: 2, HIGH: 3, CRITICAL: 4 };

function platformOf(vulnerability: DeclaredVulnerability): string {
  return vulnerability.ecosystem === 'npm' ? 'npm::GitHub Security Advisory Npm' : `${vulnerability.ecosystem} ${vulnerability.release}`;
}

function advisoryOf(vulnerability: DeclaredVulnerability): Record<string, unknown> {
  if (vulnerability.ecosystem === 'npm') {
    const { fixedVersion } = vulnerability;
    return {
      VulnerableVersions: [vulnerability.vulnerableVersions ?? (fixedVersion === null ? '>=0.0.0' : `<${fixedVersion}`)],
      ...(fixedVersion === null ? {} : { PatchedVersions: [fixedVersion] }),
    };
  }
  if (vulnerability.ecosystem === 'alpine' || vulnerability.fixedVersion !== null) return { FixedVersion: vulnerability.fixedVersion };
  // The database's integers for statuses are the positions in Trivy's list, which is ours.
  return { Status: FINDING_STATUSES.indexOf(vulnerability.status ?? 'affected') };
}

function vulnerabilityDetail(id: string, severity: Severity): Record<string, unknown> {
  const detail = { Title: `${id} of the test database`, Severity: severity };
  return severity === 'UNKNOWN' ? detail : { ...detail, VendorSeverity: { nvd: SEVERITY_NUMBERS[severity] } };
}

function bucketsOf(database: TrivyDatabase): BoltBucket {
  const root: BoltBucket = new Map();
  const put = (path: readonly string[], key: string, value: unknown): void => {
    let bucket = root;
    for (const name of path) {
      const existing = bucket.get(name);
      const child = existing === undefined || Buffer.isBuffer(existing) ? (new Map() as BoltBucket) : existing;
      bucket.set(name, child);
      bucket = child;
    }
    bucket.set(key, Buffer.from(JSON.stringify(value)));
  };
  // Trivy panics where this bucket is absent, so it is there even when it is empty.
  root.set('vulnerability', new Map());
  for (const { platform, packageName, id, advisory } of database.advisories) put([platform, packageName], id, advisory);
  for (const [id, vulnerability] of Object.entries(database.vulnerabilities)) put(['vulnerability'], id, vulnerability);
  for (const [platform, source] of Object.entries(database.dataSources)) put(['data-source'], platform, source);
  return root;
}

/** A bucket of a bbolt file: values and buckets by key. */
export type BoltBucket = Map<string, BoltBucket | Buffer>;

// The file format of go.etcd.io/bbolt 1.4 (internal/common/page.go, meta.go, bucket.go): little-endian, pages of one size, each beginning
// with id, flags, count and overflow (how many further pages it takes up). Where bbolt would split a large bucket into a tree of pages, here
// it is one leaf page with overflow, which bbolt reads alike.
const PAGE_SIZE = 4096;
const PAGE_HEADER_SIZE = 16;
const ELEMENT_SIZE = 16;
const LEAF_PAGE = 0x02;
const META_PAGE = 0x04;
const FREELIST_PAGE = 0x10;
const BUCKET_ELEMENT = 0x01;
/** A leaf page counts its elements in 16 bits. */
const MAX_ELEMENTS = 0xffff;

/** The whole bbolt file: two meta pages, an empty free list, then the buckets' pages. */
export function encodeBoltFile(root: BoltBucket): Buffer {
  const pages: Buffer[] = [];
  let nextPage = 3n;
  const placePage = (encode: (id: bigint, overflow: number) => Buffer): bigint => {
    const id = nextPage;
    const pageCount = Math.ceil(encode(id, 0).length / PAGE_SIZE);
    const page = Buffer.alloc(pageCount * PAGE_SIZE);
    encode(id, pageCount - 1).copy(page);
    pages.push(page);
    nextPage += BigInt(pageCount);
    return id;
  };
  const encodeBucket = (bucket: BoltBucket): Buffer => {
    const elements = encodeElements(bucket, encodeBucket);
    const inline = encodeLeafPage(elements, 0n, 0);
    // bbolt's own rule: a small bucket without buckets in it lies inline in its parent's page, under the page id 0.
    const isInline = inline.length <= PAGE_SIZE / 4 && elements.every(({ flags }) => flags !== BUCKET_ELEMENT);
    if (isInline) return Buffer.concat([Buffer.alloc(16), inline]);
    return bucketHeader(placePage((id, overflow) => encodeLeafPage(elements, id, overflow)));
  };
  const rootElements = encodeElements(root, encodeBucket);
  const rootPage = placePage((id, overflow) => encodeLeafPage(rootElements, id, overflow));
  const freelist = Buffer.alloc(PAGE_SIZE);
  writePageHeader(freelist, { id: 2n, flags: FREELIST_PAGE, count: 0, overflow: 0 });
  return Buffer.concat([metaPage(0n, rootPage, nextPage), metaPage(1n, rootPage, nextPage), freelist, ...pages]);
}

interface LeafElement {
  readonly flags: number;
  readonly key: Buffer;
  readonly value: Buffer;
}

function encodeElements(bucket: BoltBucket, encodeBucket: (bucket: BoltBucket) => Buffer): LeafElement[] {
  const elements = [...bucket].map(([key, value]) =>
    Buffer.isBuffer(value)
      ? { flags: 0, key: Buffer.from(key), value }
      : { flags: BUCKET_ELEMENT, key: Buffer.from(key), value: encodeBucket(value) },
  );
  if (elements.length > MAX_ELEMENTS) throw new RangeError(`a bucket holds at most ${MAX_ELEMENTS} entries here`);
  if (elements.some(({ key }) => key.length === 0)) throw new RangeError('a key must not be empty');
  return elements.sort((a, b) => Buffer.compare(a.key, b.key));
}

function encodeLeafPage(elements: readonly LeafElement[], id: bigint, overflow: number): Buffer {
  const head = Buffer.alloc(PAGE_HEADER_SIZE + ELEMENT_SIZE * elements.length);
  writePageHeader(head, { id, flags: LEAF_PAGE, count: elements.length, overflow });
  let dataOffset = head.length;
  for (const [index, { flags, key, value }] of elements.entries()) {
    const offset = PAGE_HEADER_SIZE + ELEMENT_SIZE * index;
    // The position of the data counts from the element itself.
    for (const [field, number] of [flags, dataOffset - offset, key.length, value.length].entries())
      head.writeUInt32LE(number, offset + 4 * field);
    dataOffset += key.length + value.length;
  }
  return Buffer.concat([head, ...elements.flatMap(({ key, value }) => [key, value])]);
}

interface PageHeader {
  readonly id: bigint;
  readonly flags: number;
  readonly count: number;
  readonly overflow: number;
}

function writePageHeader(page: Buffer, header: PageHeader): void {
  page.writeBigUInt64LE(header.id, 0);
  page.writeUInt16LE(header.flags, 8);
  page.writeUInt16LE(header.count, 10);
  page.writeUInt32LE(header.overflow, 12);
}

/** Root page and sequence number of a bucket that has a page of its own. */
function bucketHeader(rootPage: bigint): Buffer {
  const header = Buffer.alloc(16);
  header.writeBigUInt64LE(rootPage, 0);
  return header;
}

/** The transaction id decides which of the two meta pages holds: the higher. */
function metaPage(transaction: bigint, rootPage: bigint, pageCount: bigint): Buffer {
  const page = Buffer.alloc(PAGE_SIZE);
  writePageHeader(page, { id: transaction, flags: META_PAGE, count: 0, overflow: 0 });
  const meta = page.subarray(PAGE_HEADER_SIZE);
  for (const [field, number] of [0xed0cdaed, 2, PAGE_SIZE, 0].entries()) meta.writeUInt32LE(number, 4 * field);
  bucketHeader(rootPage).copy(meta, 16);
  meta.writeBigUInt64LE(2n, 32);
  meta.writeBigUInt64LE(pageCount, 40);
  meta.writeBigUInt64LE(transaction, 48);
  meta.writeBigUInt64LE(fnv64a(meta.subarray(0, 56)), 56);
  return page;
}

/** FNV-1a, 64 bits. */
export function fnv64a(bytes: Uint8Array): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash;
}
