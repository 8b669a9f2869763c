import { closeSync, constants, fstatSync, fsyncSync, ftruncateSync, openSync, readSync, statSync, writeSync, type Stats } from 'node:fs';
import { errorMessage, RoomError } from '../platform/errors.ts';
import { hashLine } from './audit-chain.ts';

/** `unwritable`: it cannot be opened or written. `incomplete`: removals of this run are missing in it. */
export type AuditLogErrorCode = 'unwritable' | 'incomplete';

export class AuditLogError extends RoomError<AuditLogErrorCode> {}

/** One removal and what came of it. */
export interface AuditEntry {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** null: a run that is not on record. */
  readonly runId: number | null;
  /** Found out by a later run, after this one was killed. */
  readonly settled: boolean;
  readonly host: string;
  readonly user: string;
  readonly imageId: string;
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
  readonly reason: { readonly code: string; readonly message: string };
  readonly vulnerabilityIds: readonly string[];
  readonly bytes: number;
  readonly outcome: string;
  /** Of a failure; null: there is nothing to say. */
  readonly message: string | null;
}

export interface AuditLogOptions {
  readonly path: string;
  readonly now: () => number;
}

/**
 * A file with one line of JSON for each removal, for those who keep and search logs. Rotation is left to others: a file that was moved away or
 * cut off is followed by a new one, whose first line names the last line of the old one.
 */
export class AuditLog {
  readonly #path: string;
  readonly #waiting: AuditEntry[] = [];
  readonly #now: () => number;
  #file: OpenFile;
  #fault: unknown = null;

  /** @throws AuditLogError `unwritable` */
  constructor({ path, now }: AuditLogOptions) {
    this.#path = path;
    this.#now = now;
    try {
      this.#file = openFile(path, null);
      this.#closeOffTorn();
    } catch (error) {
      throw new AuditLogError({
        code: 'unwritable',
        message: `the audit log ${path} cannot be written to: ${errorMessage(error)}`,
        hint: 'Check its folder, its permissions and the space on its filesystem.',
        cause: error,
      });
    }
  }

  /** Never throws: what cannot be written now is tried again with the next entry, and at the end. */
  append(entry: AuditEntry): void {
    this.#waiting.push(entry);
    this.#writeWaiting();
  }

  /** Whether all entries are on the disk; never throws, as `append`. */
  sync(): boolean {
    this.#writeWaiting();
    try {
      fsyncSync(this.#file.descriptor);
    } catch (error) {
      this.#fault = error;
      return false;
    }
    return this.#waiting.length === 0;
  }

  /** @throws AuditLogError `incomplete` when there is no writing even now, or the disk does not confirm it. */
  close(): void {
    const isWhole = this.sync();
    closeSync(this.#file.descriptor);
    if (isWhole) return;
    throw new AuditLogError({
      code: 'incomplete',
      message: `the audit log ${this.#path} lacks ${this.#waiting.length} of the removals of this run: ${errorMessage(this.#fault)}`,
      hint: 'Check the space on its filesystem; what was removed is in the report and in the history of runs.',
      cause: this.#fault,
    });
  }

  #writeWaiting(): void {
    try {
      for (let entry = this.#waiting[0]; entry !== undefined; entry = this.#waiting[0]) {
        this.#follow();
        this.#writeLine({ previous: this.#file.lastHash, ...lineOf(entry) });
        this.#waiting.shift();
      }
    } catch (error) {
      this.#fault = error;
    }
  }

  /** Keeps up with rotation: the file that has the name now, at its present end. */
  #follow(): void {
    const named = statIfThere(this.#path);
    const { descriptor, lastHash } = this.#file;
    const open = fstatSync(descriptor);
    const isSame = named !== null && named.ino === open.ino && named.dev === open.dev;
    if (isSame && open.size === this.#file.size) return;
    // Moved away, cut off, or written to by another process.
    const next = openFile(this.#path, lastHash);
    closeSync(descriptor);
    this.#file = next;
    this.#closeOffTorn();
  }

  /** What a process that was killed, or a full disk, left of a line stays, and the next line says so. */
  #closeOffTorn(): void {
    const { torn } = this.#file;
    if (torn === null) return;
    const time = new Date(this.#now()).toISOString();
    const line = Buffer.from(JSON.stringify({ previous: torn.hash, beforeTorn: torn.before, time, event: 'closed-torn-line' }));
    this.#writeBytes(Buffer.concat([Buffer.from('\n'), line, Buffer.from('\n')]));
    this.#file = { ...this.#file, torn: null, lastHash: hashLine(line) };
  }

  #writeLine(line: object): void {
    const bytes = Buffer.from(JSON.stringify(line));
    this.#writeBytes(Buffer.concat([bytes, Buffer.from('\n')]));
    this.#file = { ...this.#file, lastHash: hashLine(bytes) };
  }

  /** All of it or nothing. */
  #writeBytes(bytes: Buffer): void {
    const { descriptor, size } = this.#file;
    let written = 0;
    try {
      while (written < bytes.length) {
        const more = writeSync(descriptor, bytes, written);
        if (more === 0) throw new Error(`only ${written} of ${bytes.length} bytes of a line could be written`);
        written += more;
      }
    } catch (error) {
      if (written > 0) ftruncateSync(descriptor, size);
      throw error;
    }
    this.#file = { ...this.#file, size: size + bytes.length };
  }
}

function lineOf(entry: AuditEntry): object {
  const { at, ...rest } = entry;
  return { time: new Date(at).toISOString(), ...rest };
}

interface OpenFile {
  readonly descriptor: number;
  readonly size: number;
  /** What the next line follows. */
  readonly lastHash: string | null;
  /** The end of the file, where it is no whole line, and the line before it. */
  readonly torn: { readonly hash: string; readonly before: string | null } | null;
}

/** A link may lead to any file of root's; to open a pipe that nobody reads would wait without end. */
const OPEN_FLAGS = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** `earlierHash`: what the first line of an empty file follows. */
function openFile(path: string, earlierHash: string | null): OpenFile {
  const descriptor = openSync(path, OPEN_FLAGS, 0o600);
  try {
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) throw new Error('it is no regular file');
    const { size } = stats;
    const [rest, lastLine] = readLastLines(descriptor, size);
    const lastHash = lastLine === null ? earlierHash : hashLine(lastLine);
    if (rest.length === 0) return { descriptor, size, lastHash, torn: null };
    return { descriptor, size, lastHash, torn: { hash: hashLine(rest), before: lastLine === null ? null : hashLine(lastLine) } };
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

const LINE_BREAK = 0x0a;

/** What follows the last line break, and the whole line before it; null: there is none. */
function readLastLines(descriptor: number, size: number): [rest: Buffer, lastLine: Buffer | null] {
  for (let length = Math.min(size, 65_536); ; length = Math.min(size, length * 4)) {
    const tail = Buffer.alloc(length);
    readSync(descriptor, tail, 0, length, size - length);
    const end = tail.lastIndexOf(LINE_BREAK);
    const start = end <= 0 ? -1 : tail.lastIndexOf(LINE_BREAK, end - 1);
    if (start === -1 && length < size) continue;
    return [tail.subarray(end + 1), end === -1 ? null : tail.subarray(start + 1, end)];
  }
}

function statIfThere(path: string): Stats | null {
  try {
    return statSync(path);
  } catch {
    return null;
  }
}
