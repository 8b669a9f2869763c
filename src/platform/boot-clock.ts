import { readFileSync } from 'node:fs';
import { uptime } from 'node:os';

/** A clock that nobody can set: it starts at zero with the machine and runs on while the machine sleeps. */
export interface BootReading {
  /** Differs from one start of the machine to the next; empty where the system does not tell. */
  readonly bootId: string;
  readonly uptimeMs: number;
}

export function readBootClock(): BootReading {
  return { bootId: readBootId(), uptimeMs: Math.round(uptime() * 1000) };
}

function readBootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}
