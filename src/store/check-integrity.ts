import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import * as z from 'zod';
import { errorMessage } from '../platform/errors.ts';
import { logSize, unsharedLocation } from './open-for-reading.ts';
import { parseJson } from './pack.ts';

export type IntegrityResult =
  | { readonly kind: 'whole' }
  /** The first faults, in SQLite's words. */
  | { readonly kind: 'damaged'; readonly faults: readonly string[] }
  | { readonly kind: 'timed-out' }
  /** The file cannot be read now. */
  | { readonly kind: 'unreadable'; readonly message: string };

export interface IntegrityCheck {
  readonly path: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Enough to see what is damaged. */
const MOST_FAULTS = 5;

/** Results of SQLite that tell of damage: 11 (`corrupt`) and 26 (`notadb`). */
const DAMAGE = [11, 26];

/**
 * Run by a process of its own, since nothing but the end of its process stops a check: SQLite reads the whole file in one call. Prints `faults`,
 * or the `error` of the last of the locations, which are tried in their order.
 */
const PROGRAM = `
const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
const check = (location) => {
  try {
    const database = new DatabaseSync(location.startsWith('file:') ? new URL(location) : location, { readOnly: true, timeout: 1000 });
    const faults = database.prepare('PRAGMA quick_check(${MOST_FAULTS})').all().map((row) => String(Object.values(row)[0]));
    return { faults: faults.filter((fault) => fault !== 'ok') };
  } catch ({ errcode = 0, message }) {
    return { error: { errcode, message } };
  }
};
let result = {};
for (const location of process.argv.slice(1)) {
  result = check(location);
  if (result.faults !== undefined || ${JSON.stringify(DAMAGE)}.includes(result.error.errcode & 255)) break;
}
console.log(JSON.stringify(result));
`;

const resultSchema = z.union([
  z.object({ faults: z.array(z.string()) }),
  z.object({ error: z.object({ errcode: z.number(), message: z.string() }) }),
]);

/** Whether SQLite finds the history whole (`PRAGMA quick_check`). Changes nothing. Throws only the reason of the signal. */
export async function checkIntegrity({ path, timeoutMs, signal }: IntegrityCheck): Promise<IntegrityResult> {
  const locations = [path, ...(logSize(path) === 0 ? [unsharedLocation(path).href] : [])];
  // With its environment, Node would load what NODE_OPTIONS names.
  const options = { env: {}, timeout: timeoutMs, killSignal: 'SIGKILL', signal } as const;
  try {
    const { stdout } = await promisify(execFile)(process.execPath, ['--eval', PROGRAM, '--', ...locations], options);
    return resultOf(stdout);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof Error && 'killed' in error && error.killed === true) return { kind: 'timed-out' };
    return { kind: 'unreadable', message: errorMessage(error) };
  }
}

function resultOf(printed: string): IntegrityResult {
  const result = resultSchema.parse(parseJson(printed));
  if ('faults' in result) return result.faults.length === 0 ? { kind: 'whole' } : { kind: 'damaged', faults: result.faults };
  const { errcode, message } = result.error;
  return DAMAGE.includes(errcode & 0xff) ? { kind: 'damaged', faults: [message] } : { kind: 'unreadable', message };
}
