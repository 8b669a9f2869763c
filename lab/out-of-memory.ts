import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { controlGroups } from './manager-pod.ts';

/** Of version 1 of control groups, or 2. */
const HIERARCHIES = [
  {
    root: '/sys/fs/cgroup/memory',
    line: /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$/m,
    limit: 'memory.limit_in_bytes',
    anonymous: /^total_rss (\d+)$/m,
  },
  { root: '/sys/fs/cgroup', line: /^0::(.*)$/m, limit: 'memory.max', anonymous: /^anon (\d+)$/m },
] as const;

/** Room for what is being started in the group, but not for what that asks for then. */
const ROOM_BYTES = 24 * 1024 * 1024;
const GREED = '96m';

/**
 * The kernel kills the process for want of memory: the limit of its control group is lowered to little more than it has, and a smaller process
 * beside it asks for more. For a process in a group of its own, such as a container's, which has more memory than that other one gets.
 */
export async function runOutOfMemory(pid: number): Promise<void> {
  const { directory, limit, anonymous } = memoryGroupOf(pid);
  const used = Number(anonymous.exec(await readFile(join(directory, 'memory.stat'), 'utf8'))?.[1]);
  await writeFile(join(directory, limit), String(used + ROOM_BYTES));
  // tail keeps all of a last line without an end.
  const greedy = spawn('sh', ['-c', `echo $$ > '${directory}/cgroup.procs' && head -c ${GREED} /dev/zero | tail`], { stdio: 'ignore' });
  await new Promise((resolve) => greedy.once('close', resolve));
}

function memoryGroupOf(pid: number): { readonly directory: string; readonly limit: string; readonly anonymous: RegExp } {
  for (const { root, line, limit, anonymous } of HIERARCHIES) {
    const group = line.exec(controlGroups(pid))?.[1];
    if (group === undefined) continue;
    const directory = join(root, group);
    if (existsSync(join(directory, limit))) return { directory, limit, anonymous };
  }
  throw new Error(`process ${String(pid)} is in no control group with a limit on memory below /sys/fs/cgroup`);
}
