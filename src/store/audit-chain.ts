import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import * as z from 'zod';
import { parseJson } from './pack.ts';

/**
 * Each line of the audit log names the one before it by its SHA-256: a line that was changed, taken out or put in shows at the next one. It shows
 * mishaps and clumsy hands; whoever may write the file and computes all hashes anew is kept out only by sending the lines elsewhere as well.
 */
const lineSchema = z.object({
  /** null: the first of all. In the first line of a file: the last of the file before it, if that was known. */
  previous: z.string().nullable(),
  /** Only in the line that follows a torn one: the one before that, since the torn line does not tell it. */
  beforeTorn: z.string().nullable().optional(),
});

export type AuditVerification =
  | {
      readonly ok: true;
      readonly lines: number;
      /** What the first line follows, at the end of an earlier file; null: nothing. */
      readonly follows: string | null;
      /** Of the last line, which the first of the next file should follow; null: the log is empty. */
      readonly lastHash: string | null;
      /** The last line was not written to its end; the next run closes it off. */
      readonly isTorn: boolean;
    }
  | { readonly ok: false; readonly line: number; readonly why: string };

/**
 * Reads the whole log and tells the first line that does not follow from the one before it. Rejects when the file cannot be read, or with the
 * reason of the signal.
 */
export async function verifyAuditLog(path: string, signal?: AbortSignal): Promise<AuditVerification> {
  let follows: string | null = null;
  let last: string | null = null;
  let torn: { readonly number: number; readonly hash: string; readonly before: string | null } | null = null;
  let number = 0;
  for await (const { bytes, isWhole } of readLines(path, signal)) {
    number += 1;
    const line = isWhole ? lineSchema.safeParse(parseJson(bytes.toString('utf8'))) : null;
    const hash = hashLine(bytes);
    if (torn !== null) {
      const closes = line?.success === true && line.data.previous === torn.hash && line.data.beforeTorn === torn.before;
      if (!closes) return { ok: false, line: torn.number, why: 'it cannot be read, and the next line does not say that it was torn' };
      torn = null;
    } else if (line?.success !== true) {
      torn = { number, hash, before: last };
      if (!isWhole) return { ok: true, lines: number, follows, lastHash: hash, isTorn: true };
    } else if (number === 1) {
      follows = line.data.previous;
    } else if (line.data.previous !== last) {
      return { ok: false, line: number, why: 'it does not follow from the line before it' };
    }
    last = hash;
  }
  if (torn !== null) return { ok: false, line: torn.number, why: 'it cannot be read' };
  return { ok: true, lines: number, follows, lastHash: last, isTorn: false };
}

/** Of a line's bytes without the line break. */
export function hashLine(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

const LINE_BREAK = 0x0a;

async function* readLines(path: string, signal?: AbortSignal): AsyncGenerator<{ readonly bytes: Buffer; readonly isWhole: boolean }> {
  let rest = Buffer.alloc(0);
  // To open a pipe that nobody writes to would wait without end.
  await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  if (!(await file.stat()).isFile()) throw new Error(`${path} is no regular file`);
  for await (const chunk of file.createReadStream({ autoClose: false }) as AsyncIterable<Buffer>) {
    signal?.throwIfAborted();
    rest = Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = rest.indexOf(LINE_BREAK); end !== -1; end = rest.indexOf(LINE_BREAK, start)) {
      yield { bytes: rest.subarray(start, end), isWhole: true };
      start = end + 1;
    }
    rest = rest.subarray(start);
  }
  if (rest.length > 0) yield { bytes: rest, isWhole: false };
}
