import { readFileSync, readdirSync } from 'node:fs';

/** What a process was started with; empty for one that is gone, a zombie or a kernel thread. */
export function commandLine(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
  } catch {
    return [];
  }
}

export function listPids(): number[] {
  return readdirSync('/proc').map(Number).filter(Number.isInteger);
}

/** The fields of `/proc/PID/stat` after the name, which may itself hold blanks and brackets: [0] the state, [1] the parent, [19] the start. */
function statFields(pid: number): string[] | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return null;
  }
}

/** Whether the process still runs. A zombie does not: signal 0 would succeed on it for as long as nobody reaps it. */
export function isAlive(pid: number): boolean {
  const state = statFields(pid)?.[0];
  return state !== undefined && state !== 'Z' && state !== 'X';
}

/** Waits until none of its threads runs any more: on a busy machine a SIGSTOP takes its time, in which a request is still answered. */
export function waitUntilStopped(pid: number): void {
  const nobody = new Int32Array(new SharedArrayBuffer(4));
  for (let waits = 0; waits < LONGEST_STOP_MS && !isStopped(pid); waits += 1) Atomics.wait(nobody, 0, 0, 1);
}

const LONGEST_STOP_MS = 2_000;

function isStopped(pid: number): boolean {
  try {
    const threads = readdirSync(`/proc/${pid}/task`).map((thread) => readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8'));
    return threads.every((stat) => /^[TtZX]/.test(stat.slice(stat.lastIndexOf(')') + 2)));
  } catch {
    // A thread has ended meanwhile, or all of them.
    return !isAlive(pid);
  }
}

/** When the process started, in clock ticks since boot: with the pid it names a process for good, since pids are given out again. */
export function startTicks(pid: number): string | null {
  return statFields(pid)?.[19] ?? null;
}

/** Whether the very process that had this pid and start still runs. */
export function isRunningSince(pid: number, start: string): boolean {
  return isAlive(pid) && startTicks(pid) === start;
}

/** The process that this one is the parent of; null: of none. */
export function childOf(pid: number): number | null {
  return childrenOf(pid)[0] ?? null;
}

export function childrenOf(pid: number): number[] {
  return listPids().filter((candidate) => statFields(candidate)?.[1] === String(pid));
}

/** Sends a signal; a process that is gone already is none to complain about. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
