import { open, type FileHandle } from 'node:fs/promises';

/** What a look at a bbolt file (go.etcd.io/bbolt, the format of Trivy's database) shows. */
export type BoltFileCheck =
  | { readonly kind: 'damaged'; readonly problem: string }
  /** The top-level buckets, and whether each holds anything. */
  | { readonly kind: 'sound'; readonly buckets: ReadonlyMap<string, { readonly isEmpty: boolean }> };

// Little-endian; internal/common/{page,meta,bucket}.go of bbolt 1.4 and 1.5.
const MAGIC = 0xed0cdaed;
const FORMAT_VERSION = 2;
const PAGE_HEADER_SIZE = 16;
const META_SIZE = 64;
const BRANCH_PAGE = 0x01;
const LEAF_PAGE = 0x02;
const ELEMENT_SIZE = 16;
const BUCKET_ELEMENT = 0x01;
/** A database's top level has some hundreds of buckets; a page chain that is longer is damage, such as a loop. */
const MAX_PAGES = 10_000;
/** A page with overflow that is larger than this is damage, not a top level. */
const MAX_PAGE_BYTES = 64 * 1024 * 1024;

class Damage extends Error {}

/**
 * Checks a bbolt file without reading all of it: the meta pages (magic, version, checksum), the length (a truncated file is shorter than
 * its meta page says), the pages of the top level and the first page of every bucket in it. Rejects only if the file cannot be read.
 */
export async function checkBoltFile(path: string): Promise<BoltFileCheck> {
  await using file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const meta = await readMeta(file);
    if (BigInt(size) < meta.pageCount * BigInt(meta.pageSize))
      throw new Damage(`it is truncated: ${size} of ${(meta.pageCount * BigInt(meta.pageSize)).toString()} bytes`);
    const reader = new PageReader(file, meta);
    const buckets = new Map<string, { isEmpty: boolean }>();
    for (const { key, firstPage, inline } of await reader.listBuckets(meta.rootPage)) {
      const header = firstPage === 0n ? inline : await reader.readHeader(firstPage);
      buckets.set(key, { isEmpty: header.readUInt16LE(10) === 0 });
    }
    return { kind: 'sound', buckets };
  } catch (error) {
    if (error instanceof Damage) return { kind: 'damaged', problem: error.message };
    if (error instanceof RangeError) return { kind: 'damaged', problem: 'a page refers to what lies outside of it' };
    throw error;
  }
}

interface Meta {
  readonly pageSize: number;
  readonly rootPage: bigint;
  /** How many pages the file has: the first page id that is not in use. */
  readonly pageCount: bigint;
  readonly transaction: bigint;
}

/** The valid meta page with the higher transaction id. Where the first is damaged, the second's place depends on the unknown page size. */
async function readMeta(file: FileHandle): Promise<Meta> {
  const candidates = [0];
  for (let offset = 1024; offset <= 64 * 1024; offset *= 2) candidates.push(offset);
  let newest: Meta | null = null;
  for (const offset of candidates) {
    const meta = parseMeta(await readBytes(file, offset, PAGE_HEADER_SIZE + META_SIZE));
    if (meta !== null && (newest === null || meta.transaction > newest.transaction)) newest = meta;
  }
  if (newest === null) throw new Damage('it is no bbolt file, or its first pages are damaged');
  return newest;
}

function parseMeta(page: Buffer): Meta | null {
  if (page.length < PAGE_HEADER_SIZE + META_SIZE) return null;
  const meta = page.subarray(PAGE_HEADER_SIZE);
  if (meta.readUInt32LE(0) !== MAGIC || meta.readUInt32LE(4) !== FORMAT_VERSION) return null;
  if (meta.readBigUInt64LE(56) !== fnv64a(meta.subarray(0, 56))) return null;
  return {
    pageSize: meta.readUInt32LE(8),
    rootPage: meta.readBigUInt64LE(16),
    pageCount: meta.readBigUInt64LE(40),
    transaction: meta.readBigUInt64LE(48),
  };
}

interface BucketElement {
  readonly key: string;
  /** 0: the page is in the element itself, `inline`. */
  readonly firstPage: bigint;
  readonly inline: Buffer;
}

class PageReader {
  readonly #file: FileHandle;
  readonly #meta: Meta;
  #pagesRead = 0;

  constructor(file: FileHandle, meta: Meta) {
    this.#file = file;
    this.#meta = meta;
  }

  /** Number, kind, count of elements and overflow of a page; a page knows its own number. */
  async readHeader(id: bigint): Promise<Buffer> {
    const { pageSize, pageCount } = this.#meta;
    this.#pagesRead += 1;
    if (id < 2n || id >= pageCount || this.#pagesRead > MAX_PAGES) throw new Damage(`it refers to page ${id.toString()}, which cannot be`);
    const header = await readBytes(this.#file, Number(id) * pageSize, PAGE_HEADER_SIZE);
    const flags = header.readUInt16LE(8);
    if (header.readBigUInt64LE(0) === id && (flags === BRANCH_PAGE || flags === LEAF_PAGE)) return header;
    throw new Damage(`page ${id.toString()} is damaged`);
  }

  async readPage(id: bigint): Promise<Buffer> {
    const { pageSize } = this.#meta;
    const overflow = (await this.readHeader(id)).readUInt32LE(12);
    const length = (overflow + 1) * pageSize;
    if (length > MAX_PAGE_BYTES) throw new Damage(`page ${id.toString()} is damaged`);
    return await readBytes(this.#file, Number(id) * pageSize, length);
  }

  /** The buckets below a page, in order. */
  async listBuckets(id: bigint): Promise<BucketElement[]> {
    const page = await this.readPage(id);
    const isLeaf = page.readUInt16LE(8) === LEAF_PAGE;
    const buckets: BucketElement[] = [];
    for (let index = 0; index < page.readUInt16LE(10); index += 1) {
      const element = page.subarray(PAGE_HEADER_SIZE + ELEMENT_SIZE * index);
      if (!isLeaf) buckets.push(...(await this.listBuckets(element.readBigUInt64LE(8))));
      else if (element.readUInt32LE(0) === BUCKET_ELEMENT) buckets.push(bucketElement(element));
    }
    return buckets;
  }
}

/** A leaf element: flags, position of key and value from here, their lengths. A bucket's value: first page, sequence, inline page. */
function bucketElement(element: Buffer): BucketElement {
  const keyStart = element.readUInt32LE(4);
  const valueStart = keyStart + element.readUInt32LE(8);
  const value = element.subarray(valueStart, valueStart + element.readUInt32LE(12));
  return { key: element.toString('utf8', keyStart, valueStart), firstPage: value.readBigUInt64LE(0), inline: value.subarray(16) };
}

async function readBytes(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset);
  return buffer.subarray(0, bytesRead);
}

/** FNV-1a, 64 bits. */
function fnv64a(bytes: Uint8Array): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash;
}
