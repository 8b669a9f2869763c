import { readFile } from 'node:fs/promises';

export type ProcessStart =
  /** When it started, in clock ticks since boot: with its number that names a process for good, since numbers are given out again. */
  | { readonly kind: 'running'; readonly start: string }
  /** None of that number runs. One that has ended and waits for its parent is none. */
  | { readonly kind: 'ended' }
  /** `/proc` does not tell. */
  | { readonly kind: 'unknown' };

/** Whether a process runs, and since when (`/proc/PID/stat`). */
export async function processStart(pid: number): Promise<ProcessStart> {
  let stat: string;
  try {
    stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Of a process that ends while it is read, the kernel says ESRCH. A refusal, or too many open files, says nothing about it.
    return { kind: code === 'ENOENT' || code === 'ESRCH' ? 'ended' : 'unknown' };
  }
  // The fields after the name, which may itself hold blanks and brackets.
  const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (state === 'Z' || state === 'X' || state === 'x') return { kind: 'ended' };
  const start = fields[18];
  return start === undefined || !/^\d+$/.test(start) ? { kind: 'unknown' } : { kind: 'running', start };
}
