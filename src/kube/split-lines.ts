/** Objects in etcd end at about 1.5 MB; this is memory's safety. */
const LONGEST_LINE_BYTES = 64 * 1024 * 1024;
const NEWLINE = 0x0a;

/** The stream was closed within a line. */
export class CutLine extends Error {
  constructor() {
    super('the stream ended within an event');
    this.name = 'CutLine';
  }
}

/** The lines of a stream of bytes, without their ends; empty ones are left out. Throws CutLine at a last line without its end. */
export async function* splitLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      // Whole lines only: a character may lie across two chunks.
      const line = Buffer.concat([...pending, chunk.subarray(start, end)]).toString('utf8');
      pending = [];
      pendingBytes = 0;
      start = end + 1;
      if (line.trim() !== '') yield line;
    }
    pending.push(chunk.subarray(start));
    pendingBytes += chunk.length - start;
    if (pendingBytes > LONGEST_LINE_BYTES) throw new Error(`an event of more than ${LONGEST_LINE_BYTES} bytes`);
  }
  if (pendingBytes > 0) throw new CutLine();
}
