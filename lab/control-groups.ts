import { appendFileSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { listMounts } from './mounts.ts';

/** The root directories of the mounted hierarchies: one in version 2, one for each kind of resource in version 1. */
export function listHierarchies(): string[] {
  return listMounts()
    .filter(({ type }) => type === 'cgroup' || type === 'cgroup2')
    .map(({ path }) => path);
}

/** Makes the group (`a/b`), ready to have groups below it, in every hierarchy. */
export function makeControlGroup(group: string): void {
  for (const hierarchy of listHierarchies()) {
    let parent = hierarchy;
    for (const name of group.split('/')) {
      passControllersOn(parent);
      const directory = join(parent, name);
      mkdirSync(directory, { recursive: true });
      takeCpus(directory, parent);
      parent = directory;
    }
    passControllersOn(parent);
  }
}

/** Version 2: a group has the controllers that the one above it passes on. Beside version 1 it has none to speak of. */
function passControllersOn(directory: string): void {
  const isVersion2Alone = existsSync('/sys/fs/cgroup/cgroup.controllers');
  if (!isVersion2Alone) return;
  const controllers = readFileSync(join(directory, 'cgroup.controllers'), 'utf8').split(/\s+/).filter(Boolean);
  for (const controller of controllers) {
    try {
      appendFileSync(join(directory, 'cgroup.subtree_control'), `+${controller}`);
    } catch {
      // Not every controller can be passed on; the kubelet says which one it lacks.
    }
  }
}

/** Version 1: no process may enter a group before it has processors and memory nodes. */
function takeCpus(directory: string, parent: string): void {
  const files = readdirSync(directory).filter((file) => file === 'cpuset.cpus' || file === 'cpuset.mems');
  for (const file of files) {
    const value = readFileSync(join(parent, file), 'utf8').trim();
    const isEmpty = readFileSync(join(directory, file), 'utf8').trim() === '';
    if (isEmpty && value !== '') writeFileSync(join(directory, file), value);
  }
}
