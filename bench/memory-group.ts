import { existsSync } from 'node:fs';
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A control group with a limit on memory. Removed when its processes have ended. */
export interface MemoryGroup extends AsyncDisposable {
  /** Whoever writes its number to `cgroup.procs` in here joins. */
  readonly directory: string;
  /** Bytes, with the file cache that its processes caused. */
  readPeak(): Promise<number>;
}

/** Of version 1 of control groups, or 2. */
const HIERARCHIES = [
  {
    root: '/sys/fs/cgroup/memory',
    limit: 'memory.limit_in_bytes',
    limitWithSwap: 'memory.memsw.limit_in_bytes',
    peak: 'memory.max_usage_in_bytes',
  },
  { root: '/sys/fs/cgroup', limit: 'memory.max', limitWithSwap: 'memory.swap.max', peak: 'memory.peak' },
] as const;

let groups = 0;

export async function createMemoryGroup(limitBytes: number): Promise<MemoryGroup> {
  groups += 1;
  for (const { root, limit, limitWithSwap, peak } of HIERARCHIES) {
    const directory = join(root, `image-cleaner-bench-${String(process.pid)}-${String(groups)}`);
    if (!existsSync(join(root, 'cgroup.procs'))) continue;
    await mkdir(directory);
    if (!existsSync(join(directory, limit))) {
      await rmdir(directory);
      continue;
    }
    await writeFile(join(directory, limit), String(limitBytes));
    // Version 1 limits memory and swap together, version 2 swap alone; without swap there is neither file.
    const withSwap = join(directory, limitWithSwap);
    if (existsSync(withSwap)) await writeFile(withSwap, limitWithSwap.startsWith('memory.memsw') ? String(limitBytes) : '0');
    return {
      directory,
      readPeak: async () => Number(await readFile(join(directory, peak), 'utf8')),
      [Symbol.asyncDispose]: () => rmdir(directory),
    };
  }
  throw new Error('the memory controller of control groups is not below /sys/fs/cgroup, or has not been delegated to its children');
}
