import { readFile } from 'node:fs/promises';

/**
 * When a running process started, in clock ticks since boot (`/proc/PID/stat`); null when none of that number runs, or it cannot be told.
 * With the number it names a process for good: numbers are given out again. A process that has ended and waits for its parent is none.
 */
export async function processStart(pid: number): Promise<string | null> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The fields after the name, which may itself hold blanks and brackets.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
}
