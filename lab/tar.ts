/** One entry of an archive. A path with a trailing slash is a directory. */
export interface TarEntry {
  readonly path: string;
  readonly content: Buffer;
  readonly mode: number;
  /** Where a symbolic link leads, at most 100 bytes; it has no content. */
  readonly link?: string;
}

const BLOCK_BYTES = 512;
/** The name field of a header; a longer path goes before it in an entry of its own. */
const NAME_BYTES = 100;
const LONG_NAME_ENTRY = '././@LongLink';

/**
 * A tar archive (ustar, GNU long names) of the entries in their order: owner root, time zero, so that equal entries make equal bytes and
 * equal digests.
 */
export function makeTar(entries: readonly TarEntry[]): Buffer {
  return Buffer.concat([...entries.flatMap(entryBlocks), Buffer.alloc(2 * BLOCK_BYTES)]);
}

function entryBlocks(entry: TarEntry): Buffer[] {
  const name = Buffer.from(entry.path);
  const { mode, link, content } = entry;
  const type = link !== undefined ? '2' : entry.path.endsWith('/') ? '5' : '0';
  const fields = { type, mode, bytes: content.length, ...(link === undefined ? {} : { link }) };
  const own = [header(name.subarray(0, NAME_BYTES), fields), ...padded(content)];
  if (name.length <= NAME_BYTES) return own;
  const longName = Buffer.concat([name, Buffer.alloc(1)]);
  return [header(Buffer.from(LONG_NAME_ENTRY), { type: 'L', mode: 0, bytes: longName.length }), ...padded(longName), ...own];
}

/** Field offsets of POSIX.1-1988 ustar. */
function header(name: Buffer, fields: { type: string; mode: number; bytes: number; link?: string }): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES);
  const octal = (value: number, width: number): string => `${value.toString(8).padStart(width - 1, '0')}\0`;
  name.copy(block, 0);
  block.write(octal(fields.mode, 8), 100);
  block.write(octal(0, 8), 108); // uid
  block.write(octal(0, 8), 116); // gid
  block.write(octal(fields.bytes, 12), 124);
  block.write(octal(0, 12), 136); // mtime
  block.write(' '.repeat(8), 148); // the checksum counts itself as blanks
  block.write(fields.type, 156);
  block.write(fields.link ?? '', 157, NAME_BYTES);
  block.write('ustar\x0000', 257);
  block.write('root', 265);
  block.write('root', 297);
  const checksum = block.reduce((sum, byte) => sum + byte, 0);
  block.write(`${checksum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

function padded(content: Buffer): Buffer[] {
  return [content, Buffer.alloc((BLOCK_BYTES - (content.length % BLOCK_BYTES)) % BLOCK_BYTES)];
}
