import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';

/** Compresses, with a checksum: what is damaged on the disk does not come back as something else. */
export function pack(data: Uint8Array | string): Uint8Array {
  return zstdCompressSync(data, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
}

/** null: damaged. */
export function unpack(packed: Uint8Array): Uint8Array | null {
  try {
    return zstdDecompressSync(packed);
  } catch {
    return null;
  }
}

/** JSON in one of two columns: as text, which one can read in the file and which needs no unpacking, or packed where it is long. */
export interface StoredJson {
  readonly json: string | null;
  readonly packed: Uint8Array | null;
}

/** `packedFrom`: the length from which on it is packed. */
export function storeJson(json: string, packedFrom: number): StoredJson {
  return json.length >= packedFrom ? { json: null, packed: pack(json) } : { json, packed: null };
}

/** undefined: damaged. */
export function readStoredJson({ json, packed }: StoredJson): unknown {
  if (json !== null) return parseJson(json);
  const data = packed === null ? null : unpack(packed);
  return data === null ? undefined : parseJson(Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('utf8'));
}

/** undefined: no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
