/** What the dynamic loader has to find before a program runs. */
export interface ElfNeeds {
  /** The path of the loader itself (`/lib64/ld-linux-x86-64.so.2`); null for a library, or a program that is linked statically. */
  readonly interpreter: string | null;
  /** Names of shared libraries: `libc.so.6`. */
  readonly libraries: readonly string[];
}

// Of elf(5), for 64 bits: where the header says where the program headers are, and the kinds of those and of dynamic entries that count.
const HEADER = { class: 4, byteOrder: 5, programHeaders: 32, programHeaderSize: 54, programHeaderCount: 56 } as const;
const [CLASS_64, LITTLE_ENDIAN] = [2, 1];
const [LOADED, DYNAMIC, INTERPRETER] = [1, 2, 3];
const [END, NEEDED, STRING_TABLE] = [0n, 1n, 5n];
const DYNAMIC_ENTRY_BYTES = 16;

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly bytes: number;
}

/** Reads a 64-bit little-endian program or library. Throws a RangeError where it is none. */
export function readElf(file: Buffer): ElfNeeds {
  const isElf = file.subarray(0, 4).equals(Buffer.from('\x7fELF', 'latin1'));
  if (!isElf || file[HEADER.class] !== CLASS_64 || file[HEADER.byteOrder] !== LITTLE_ENDIAN) {
    throw new RangeError('not a 64-bit little-endian ELF file');
  }
  const segments = readSegments(file);
  const interpreter = segments.find(({ type }) => type === INTERPRETER);
  return { interpreter: interpreter === undefined ? null : textAt(file, interpreter.offset), libraries: readNeeded(file, segments) };
}

function readSegments(file: Buffer): Segment[] {
  const first = Number(file.readBigUInt64LE(HEADER.programHeaders));
  const size = file.readUInt16LE(HEADER.programHeaderSize);
  return Array.from({ length: file.readUInt16LE(HEADER.programHeaderCount) }, (_, at) => {
    const header = file.subarray(first + at * size);
    const field = (offset: number): number => Number(header.readBigUInt64LE(offset));
    return { type: header.readUInt32LE(0), offset: field(8), address: field(16), bytes: field(32) };
  });
}

function readNeeded(file: Buffer, segments: readonly Segment[]): string[] {
  const dynamic = segments.find(({ type }) => type === DYNAMIC);
  if (dynamic === undefined) return [];
  const entries = Array.from({ length: dynamic.bytes / DYNAMIC_ENTRY_BYTES }, (_, at) => {
    const offset = dynamic.offset + at * DYNAMIC_ENTRY_BYTES;
    return { tag: file.readBigUInt64LE(offset), value: Number(file.readBigUInt64LE(offset + 8)) };
  });
  const end = entries.findIndex(({ tag }) => tag === END);
  const used = entries.slice(0, end === -1 ? undefined : end);
  const strings = used.find(({ tag }) => tag === STRING_TABLE);
  if (strings === undefined) return [];
  const table = offsetOf(strings.value, segments);
  return used.filter(({ tag }) => tag === NEEDED).map(({ value }) => textAt(file, table + value));
}

/** Where in the file that is which the loader puts at the address. */
function offsetOf(address: number, segments: readonly Segment[]): number {
  const holder = segments.find(
    (segment) => segment.type === LOADED && address >= segment.address && address < segment.address + segment.bytes,
  );
  if (holder === undefined) throw new RangeError('an ELF file whose string table is in none of its segments');
  return address - holder.address + holder.offset;
}

function textAt(file: Buffer, offset: number): string {
  return file.toString('latin1', offset, file.indexOf(0, offset));
}
