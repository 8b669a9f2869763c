import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Installation, InspectedPod } from './installation.ts';
import { commandLine, listPids } from './processes.ts';

/** The manager's pod as the machine has it: its processes, and the files of its history. */
export class ManagerPod {
  readonly #uid: string;
  readonly #history: string;

  private constructor({ metadata }: InspectedPod, nodeFolder: string) {
    this.#uid = metadata.uid;
    this.#history = join(nodeFolder, 'kubelet/pods', metadata.uid, 'volumes/kubernetes.io~empty-dir/history');
  }

  /** The one that is there now. Its containers may start anew; the rest stays true for as long as the pod is there. */
  static async find(site: Installation): Promise<ManagerPod> {
    const [pod, ...others] = await site.managerPods();
    const node = site.nodes.find(({ name }) => name === pod?.spec.nodeName);
    if (pod === undefined || node === undefined || others.length > 0) throw new Error('there is not one pod of the manager');
    return new ManagerPod(pod, node.containerd.directory);
  }

  /** Of the manager itself. Empty while it is started again. */
  managerPids(): number[] {
    return this.#pids('/usr/bin/controller');
  }

  /** Of Trivy's server. */
  trivyPids(): number[] {
    return this.#pids('/usr/bin/trivy');
  }

  /** Where the history is, as this machine finds it. */
  historyFolder(): string {
    const [pid] = this.managerPids();
    // What is mounted on a node is not there on the machine.
    return pid === undefined ? this.#history : `/proc/${String(pid)}/root/var/lib/image-cleaner`;
  }

  /** Of a copy of its database: what reads a database takes its locks. */
  async readRows(query: string): Promise<Record<string, unknown>[]> {
    const folder = await mkdtemp(join(tmpdir(), 'image-cleaner-history-'));
    try {
      const history = this.historyFolder();
      for (const file of ['history.db', 'history.db-wal']) await copyFile(join(history, file), join(folder, file));
      const database = new DatabaseSync(join(folder, 'history.db'));
      try {
        return database.prepare(query).all();
      } finally {
        database.close();
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  }

  #pids(program: string): number[] {
    return podPids(this.#uid).filter((pid) => commandLine(pid).includes(program));
  }
}

/** Of all processes in the containers of a pod of this machine. */
export function podPids(uid: string): number[] {
  return listPids().filter((pid) => controlGroups(pid).includes(`/pod${uid}/`));
}

/** The lines of `/proc/PID/cgroup`; empty for a process that is gone. */
export function controlGroups(pid: number): string {
  try {
    return readFileSync(`/proc/${String(pid)}/cgroup`, 'utf8');
  } catch {
    return '';
  }
}
