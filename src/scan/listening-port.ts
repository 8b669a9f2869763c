import { readdir, readFile, readlink } from 'node:fs/promises';

/** 127.0.0.1, and the state of a socket that listens, as /proc/net/tcp writes them. */
const LOOPBACK = '0100007F';
const LISTENING = '0A';

/**
 * The port on 127.0.0.1 that a process of this group listens on, null while none does. Read from the kernel: a server that was told to choose a
 * port need not say which, and nobody else can take its place, as they could on a port that was chosen beforehand.
 */
export async function readListeningPort(leader: number): Promise<number | null> {
  const ofLeader = await portOf(leader);
  if (ofLeader !== null) return ofLeader;
  // A program in the binary's place may have started Trivy as a child.
  for (const pid of await processesOf(leader)) {
    const port = await portOf(pid);
    if (port !== null) return port;
  }
  return null;
}

async function portOf(pid: number): Promise<number | null> {
  const sockets = await socketsOf(pid);
  if (sockets.size === 0) return null;
  for (const line of (await readText(`/proc/${pid}/net/tcp`)).split('\n')) {
    const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
    const [address, port] = local?.split(':') ?? [];
    if (state === LISTENING && address === LOOPBACK && port !== undefined && sockets.has(inode ?? '')) return Number.parseInt(port, 16);
  }
  return null;
}

/** The inodes of a process's sockets. */
async function socketsOf(pid: number): Promise<ReadonlySet<string>> {
  const sockets = new Set<string>();
  for (const descriptor of await names(`/proc/${pid}/fd`)) {
    const target = await readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => '');
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
    if (inode !== undefined) sockets.add(inode);
  }
  return sockets;
}

/** The processes of a group but its leader. */
async function processesOf(leader: number): Promise<number[]> {
  const pids: number[] = [];
  for (const pid of (await names('/proc')).map(Number).filter((number) => number > 1 && number !== leader)) {
    const stat = await readText(`/proc/${pid}/stat`);
    // State, parent, group: the fields after the name, which may itself hold blanks and brackets.
    if (stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2] === String(leader)) pids.push(pid);
  }
  return pids;
}

/** A process that ends meanwhile has nothing left to read. */
async function names(directory: string): Promise<string[]> {
  return await readdir(directory).catch(() => []);
}

async function readText(path: string): Promise<string> {
  return await readFile(path, 'utf8').catch(() => '');
}
