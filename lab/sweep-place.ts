import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, rmSync, rmdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { listHierarchies } from './control-groups.ts';
import { listMounts } from './mounts.ts';
import { listLinks, removeLinks } from './network-links.ts';
import { NODE_INIT } from './node-init.ts';
import type { Place } from './place.ts';
import { commandLine, isAlive, listPids, signalProcess } from './processes.ts';

/** A killed process is gone in milliseconds; one that waits for a disk takes longer. */
const END_TIMEOUT_MS = 5_000;
const POLL_MS = 5;

const DAEMON = 'containerd';
const SHIM = 'containerd-shim-runc-v2';
const CLIENT = 'ctr';
const RUNC = 'runc';
/** Of a cluster, apart from what runs on its nodes. */
const CONTROL_PLANE = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'coredns'];
/** Its other processes end when it has. */
const DATABASE = 'postgres';
const PROGRAMS = [DAEMON, CLIENT, SHIM, RUNC, ...CONTROL_PLANE, DATABASE];

/**
 * Ends and removes all that is at the place: the daemon, its shims, their containers, control groups, mounts, sockets, directories; of a
 * cluster, its nodes, its control plane and its network.
 * Synchronous, since it also runs while the process exits; complete without the daemon's help, which may be dead or stopped. Throws when
 * something remains.
 */
export function sweepPlace(place: Place): void {
  endNodes(place);
  endPrograms(place, [...CONTROL_PLANE, DATABASE]);
  // The daemon first, so that nothing new is started; the containers before their shims, which reap them; and again the containers that a
  // shim was about to start.
  endPrograms(place, [DAEMON, CLIENT]);
  untilNone(() => cgroupDirectories(place), endCgroup);
  endPrograms(place, [SHIM, RUNC]);
  untilNone(() => cgroupDirectories(place), endCgroup);
  removeShimSockets(place);
  for (const mount of placeMounts(place).reverse()) attempt(() => execFileSync('umount', ['--lazy', mount], { stdio: 'ignore' }));
  removeLinks(place);
  // Below a mount that stays lie files of others.
  if (placeMounts(place).length === 0) {
    rmSync(place.state, { recursive: true, force: true });
    rmSync(place.root, { recursive: true, force: true });
  }
  const remains = listRemains(place);
  if (remains.length > 0) throw new Error(`${place.name} can't be removed: ${remains.join(', ')}`);
}

/** What of the place is still on the machine, one line each; empty after a sweep. */
export function listRemains(place: Place): string[] {
  return [
    ...[...nodeInits(place), ...placePids(place, PROGRAMS)].map((pid) => `process ${pid}: ${commandLine(pid).join(' ')}`),
    ...placeMounts(place).map((path) => `mount ${path}`),
    ...cgroupDirectories(place).map((path) => `control group ${path}`),
    ...listLinks(place).map((link) => `network link ${link}`),
    ...[place.root, place.state].filter((path) => existsSync(path)).map((path) => `directory ${path}`),
  ];
}

/** With a node's process 1 the kernel ends all others in its namespaces, and with the last one its mounts and network go. */
function endNodes(place: Place): void {
  const inits = nodeInits(place);
  for (const pid of inits) signalProcess(pid, 'SIGKILL');
  // A process that is ending has no command line any more.
  untilNone(
    () => inits.filter(isAlive),
    () => undefined,
  );
}

/** The nodes' processes 1, and the `unshare` above each. */
function nodeInits(place: Place): number[] {
  return listPids().filter((pid) => {
    const args = commandLine(pid);
    // Another checkout may have started it.
    return args.some((arg) => basename(arg) === basename(NODE_INIT)) && isOfPlace(place, args) && isAlive(pid);
  });
}

function endPrograms(place: Place, programs: readonly string[]): void {
  untilNone(
    () => placePids(place, programs),
    (pid) => signalProcess(pid, 'SIGKILL'),
  );
}

/** Known by the files of the place that they were started with: a socket, a configuration. Another program that looks at these files is not ours. */
function placePids(place: Place, programs: readonly string[]): number[] {
  return listPids().filter((pid) => {
    const [program = '', ...args] = commandLine(pid);
    return programs.includes(basename(program)) && isOfPlace(place, args) && isAlive(pid);
  });
}

function isOfPlace(place: Place, args: readonly string[]): boolean {
  return args.some((arg) => arg.includes(`${place.state}/`) || arg.includes(`${place.root}/`));
}

/** Ends what the list names until it names nothing, or for as long as that may take. */
function untilNone<T>(list: () => T[], end: (item: T) => void): void {
  const deadline = Date.now() + END_TIMEOUT_MS;
  for (let items = list(); items.length > 0 && Date.now() < deadline; items = list()) {
    items.forEach(end);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, POLL_MS);
  }
}

function placeMounts(place: Place): string[] {
  return listMounts()
    .map((mount) => mount.path)
    .filter((path) => path.startsWith(`${place.root}/`) || path.startsWith(`${place.state}/`));
}

/** The place's control groups in every mounted hierarchy (cgroup v1 has several), a child before its parent. */
function cgroupDirectories(place: Place): string[] {
  const withChildren = (directory: string): string[] => [...subdirectories(directory).flatMap(withChildren), directory];
  return listHierarchies()
    .map((hierarchy) => join(hierarchy, place.name))
    .filter((path) => existsSync(path))
    .flatMap(withChildren);
}

/** Kills the processes in the group, and removes it once it has none. */
function endCgroup(directory: string): void {
  attempt(() => {
    const pids = readFileSync(join(directory, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number);
    for (const pid of pids) signalProcess(pid, 'SIGKILL');
    rmdirSync(directory);
  });
}

/** Shims listen in /run/containerd/s whatever containerd's own directories are; each bundle records its shim's address. */
function removeShimSockets(place: Place): void {
  const tasks = join(place.state, 'containerd/io.containerd.runtime.v2.task');
  const bundles = subdirectories(tasks).flatMap(subdirectories); // by namespace, by container
  // containerd 1 writes the one file, containerd 2 the other.
  const records = bundles.flatMap((bundle) => ['address', 'bootstrap.json'].map((name) => join(bundle, name)));
  const sockets = new Set(records.map(recordedSocket).filter((socket) => socket !== null));
  for (const socket of sockets) rmSync(socket, { force: true });
  const [some] = sockets;
  if (some === undefined) return;
  // Only when empty: the machine's own containerd, or another private one, may use them.
  attempt(() => {
    rmdirSync(dirname(some));
    rmdirSync(dirname(dirname(some)));
  });
}

function recordedSocket(record: string): string | null {
  try {
    return /unix:\/\/(\/[^"\s]+)/.exec(readFileSync(record, 'utf8'))?.[1] ?? null;
  } catch {
    return null;
  }
}

function subdirectories(directory: string): string[] {
  try {
    const entries = readdirSync(directory, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => join(directory, entry.name));
  } catch {
    return [];
  }
}

/** For what may be gone or busy: the sweep goes on, and tells at its end what remains. */
function attempt(effect: () => unknown): void {
  try {
    effect();
  } catch {
    // as said
  }
}
