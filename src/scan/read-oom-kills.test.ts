import { describe, expect, it } from 'vitest';
import { oomFilesOf, readOomKills } from './read-oom-kills.ts';

describe('oomFilesOf', () => {
  it('control groups of version 2', () => {
    expect(oomFilesOf('0::/kubepods/pod1/a\n')).toEqual(['/sys/fs/cgroup/kubepods/pod1/a/memory.events', '/sys/fs/cgroup/memory.events']);
    expect(oomFilesOf('0::/\n')).toEqual(['/sys/fs/cgroup/memory.events']);
  });

  it('control groups of version 1, also where both are mounted', () => {
    expect(oomFilesOf('9:name=systemd:/\n8:cpu,cpuacct:/a\n4:memory:/a:b\n')).toEqual([
      '/sys/fs/cgroup/memory/a:b/memory.oom_control',
      '/sys/fs/cgroup/memory/memory.oom_control',
    ]);
  });

  it('nothing that it can read', () => {
    expect(oomFilesOf('')).toEqual([]);
  });
});

describe('readOomKills', () => {
  it('is a count or unknown, and never rejects', async () => {
    expect(await readOomKills()).toSatisfy((count) => count === null || (typeof count === 'number' && count >= 0));
  });
});
