import { readFile } from 'node:fs/promises';

/**
 * How many processes of this process's own memory control group the kernel has killed for want of memory so far; null where it cannot be
 * read. A scanner that dies of SIGKILL while the number rises ran out of memory: nothing else says so.
 */
export async function readOomKills(): Promise<number | null> {
  const groups = await readText('/proc/self/cgroup');
  if (groups === null) return null;
  for (const path of oomFilesOf(groups)) {
    const count = /^oom_kill (\d+)$/m.exec((await readText(path)) ?? '')?.[1];
    if (count !== undefined) return Number(count);
  }
  return null;
}

/**
 * The files that count out-of-memory kills, the likeliest first, for a `/proc/self/cgroup`. In a container the group's path may be that of
 * the machine while only the group itself is mounted, hence also without it.
 */
export function oomFilesOf(groups: string): string[] {
  const files: string[] = [];
  for (const line of groups.split('\n')) {
    const [hierarchy, controllers, ...rest] = line.split(':');
    const path = rest.join(':').replace(/\/$/, '');
    const isV1 = controllers?.split(',').includes('memory') === true;
    if (isV1) files.push(`/sys/fs/cgroup/memory${path}/memory.oom_control`, '/sys/fs/cgroup/memory/memory.oom_control');
    else if (hierarchy === '0') files.push(`/sys/fs/cgroup${path}/memory.events`, '/sys/fs/cgroup/memory.events');
  }
  return [...new Set(files)];
}

async function readText(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return null;
  }
}
