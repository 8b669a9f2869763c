import { readdir, readFile } from 'node:fs/promises';

/** The manager, in a pod or not, as this machine's kernel sees it. */
export interface ManagerProcess {
  /** Of all its threads, since it was started. */
  cpuMs(): Promise<number>;
  rssBytes(): Promise<number>;
  /** The most since it was started. */
  peakRssBytes(): Promise<number>;
}

/** Linux tells processor time in hundredths of a second. */
const TICK_MS = 10;

/** The one that runs; throws when there is none, or more than one. */
export async function findManager(): Promise<ManagerProcess> {
  const pids: string[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (command.includes('/usr/bin/controller\0')) pids.push(pid);
  }
  const [pid, ...others] = pids;
  if (pid === undefined || others.length > 0) throw new Error(`${String(pids.length)} managers run on this machine, not one`);
  return managerOf(Number(pid));
}

export function managerOf(pid: number): ManagerProcess {
  const read = (file: string): Promise<string> => readFile(`/proc/${String(pid)}/${file}`, 'utf8');
  const bytesOf = async (field: string): Promise<number> =>
    Number(new RegExp(String.raw`^${field}:\s+(\d+) kB$`, 'm').exec(await read('status'))?.[1] ?? Number.NaN) * 1024;
  return {
    cpuMs: async () => {
      // The name, which is in brackets, may hold anything.
      const fields = (await read('stat')).replace(/^.*\) /s, '').split(' ');
      return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
    },
    rssBytes: () => bytesOf('VmRSS'),
    peakRssBytes: () => bytesOf('VmHWM'),
  };
}
