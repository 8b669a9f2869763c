import { readFileSync } from 'node:fs';

export interface Mount {
  readonly path: string;
  readonly type: string;
}

/** From /proc/self/mountinfo: the mount point is the fifth field, the type the first after the dash. */
export function listMounts(): Mount[] {
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').trimEnd().split('\n');
  return lines.map((line) => ({ path: line.split(' ')[4] ?? '', type: line.split(' - ')[1]?.split(' ')[0] ?? '' }));
}
